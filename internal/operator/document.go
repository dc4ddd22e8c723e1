package operator

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"time"
)

// A document describes the calls in OpenAPI 3.1. It is made from what they are
// declared with, so it cannot fall behind them: the fields of an input are its
// parameters, those of an answer its schema.
type document struct {
	schemas map[string]any
}

// object is a JSON object of the document.
type object = map[string]any

func newDocument(calls []call) ([]byte, error) {
	d := &document{schemas: object{"Problem": problemSchema()}}
	paths := map[string]object{}
	for _, c := range append(calls, call{pattern: "GET /readyz", open: true, in: reflect.TypeFor[None](), out: reflect.TypeFor[Readiness]()}) {
		method, path, _ := strings.Cut(c.pattern, " ")
		path = strings.TrimSuffix(path, "{$}")
		if paths[path] == nil {
			paths[path] = object{}
		}
		paths[path][strings.ToLower(method)] = d.operation(c, method, path)
	}
	return json.MarshalIndent(object{
		"openapi": "3.1.0",
		"info": object{"title": "hongbao operator API", "version": "1", "description": "On the operator's listener only. Every parameter is known, given once, in the query " +
			"or as a member of a JSON object in the body, or the call is refused and nothing is changed. Errors are application/problem+json with the codes of the public API. " +
			"An answer about several SETs has one entry a SET; where some did not answer it is a 207 and their entries say why. New members may be added to answers."},
		"servers":  []object{{"url": "/"}},
		"security": []object{{"token": []string{}}},
		"paths":    paths,
		"components": object{"schemas": d.schemas, "securitySchemes": object{"token": object{"type": "http", "scheme": "bearer", "bearerFormat": "JWT",
			"description": "A person's token under keys.operators, whose scope says operate."}}},
	}, "", "  ")
}

func (d *document) operation(c call, method, path string) object {
	refused := object{"description": "Refused, or not now: its code and status say which.", "content": object{"application/problem+json": object{"schema": schemaRef("Problem")}}}
	op := object{"operationId": operationID(method, path), "responses": object{"4XX": refused, "5XX": refused}}
	if c.open {
		op["security"] = []object{}
	}
	var inQuery []object
	for _, p := range parameters(reflect.New(c.in).Elem()) {
		in := object{"name": p.name, "in": "query", "required": p.required, "schema": d.schema(p.value.Type())}
		if p.inPath {
			in["in"] = "path"
		}
		inQuery = append(inQuery, in)
	}
	if len(inQuery) > 0 {
		op["parameters"] = inQuery
	}
	answers := op["responses"].(object)
	switch c.out {
	case reflect.TypeFor[None]():
		answers["204"] = object{"description": "Done."}
	case reflect.TypeFor[http.Handler]():
		answers["200"] = object{"description": "Text or a profile, as its Content-Type says.", "content": object{"*/*": object{}}}
	default:
		content := object{"application/json": object{"schema": d.schema(c.out)}}
		answers["200"] = object{"description": "Done, or shown, at every SET.", "content": content}
		if c.out.Implements(reflect.TypeFor[partial]()) {
			answers["207"] = object{"description": "At some SETs only: the entries of the others say why.", "content": content}
		}
	}
	return op
}

// operationID is unique: a method and a path make one.
func operationID(method, path string) string {
	id := strings.ToLower(method)
	for part := range strings.FieldsFuncSeq(path, func(r rune) bool { return strings.ContainsRune("/{}$", r) }) {
		id += strings.ToUpper(part[:1]) + part[1:]
	}
	return id
}

func schemaRef(name string) object { return object{"$ref": "#/components/schemas/" + name} }

// schema is what a Go type is in JSON. Structs get a name.
func (d *document) schema(t reflect.Type) object {
	if t == reflect.TypeFor[time.Time]() {
		return object{"type": "string", "format": "date-time"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return d.schema(t.Elem())
	case reflect.Slice:
		return object{"type": "array", "items": d.schema(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": d.schema(t.Elem())}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Uint16, reflect.Uint8:
		return object{"type": "integer", "format": "int64"}
	case reflect.Struct:
		if d.schemas[t.Name()] == nil {
			d.schemas[t.Name()] = object{} // a type may contain itself
			d.schemas[t.Name()] = d.members(t)
		}
		return schemaRef(t.Name())
	}
	return object{"type": "string"}
}

// members are the fields of a struct, those of an embedded one among them.
func (d *document) members(t reflect.Type) object {
	properties, required := object{}, []string{}
	for field := range t.Fields() {
		name, rest, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous && name == "":
			inner := d.members(field.Type)
			maps.Copy(properties, inner["properties"].(object))
			required = append(required, inner["required"].([]string)...)
		case field.IsExported() && name != "" && name != "-":
			properties[name] = d.schema(field.Type)
			if rest == "" {
				required = append(required, name)
			}
		}
	}
	return object{"type": "object", "properties": properties, "required": required}
}

func problemSchema() object {
	text, whole := object{"type": "string"}, object{"type": "integer"}
	return object{"type": "object", "description": "RFC 9457.", "required": []string{"type", "title", "status", "code", "retryable"}, "properties": object{
		"type": text, "title": text, "status": whole, "code": text, "retryable": object{"type": "boolean"},
		"detail": text, "field": text, "rule": text, "request_id": text}}
}

// openAPI serves it.
func (a *API) openAPI(context.Context, Person, None) (http.Handler, error) {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(a.described) // the error of a client that has gone is nobody's
	}), nil
}
