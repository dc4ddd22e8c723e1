package operator

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"

	"hongbao/internal/httpapi"
)

// A document describes the calls in OpenAPI 3.1. It is made from what they are
// declared with, so it cannot fall behind them: the fields of an input are its
// parameters, those of an answer its schema.
type document struct {
	schemas  map[string]any
	examples map[reflect.Type]any
	problems *httpapi.Problems
}

// object is a JSON object of the document.
type object = map[string]any

func newDocument(calls []call, problems *httpapi.Problems) ([]byte, error) {
	d := &document{schemas: object{}, examples: examples(), problems: problems}
	d.schema(reflect.TypeFor[Problem]())
	paths := map[string]object{}
	for _, c := range append(calls, readyCall) {
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
	answers := d.refusals(c, method)
	op := object{"operationId": operationID(method, path), "responses": answers}
	if c.open {
		op["security"] = []object{}
	}
	var inQuery []object
	for _, p := range parameters(reflect.New(c.in).Elem()) {
		schema := d.schema(p.value.Type())
		if example := d.examples[p.value.Type()]; example != nil {
			schema["examples"] = []any{example}
		}
		in := object{"name": p.name, "in": "query", "required": p.required, "schema": schema}
		if p.inPath {
			in["in"] = "path"
		}
		inQuery = append(inQuery, in)
	}
	if len(inQuery) > 0 {
		op["parameters"] = inQuery
	}
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

// readyCall describes what is not a call: [API.readyz] answers by itself.
var readyCall = call{pattern: "GET /readyz", open: true, in: reflect.TypeFor[None](), out: reflect.TypeFor[Readiness]()}

// operationID is unique: a method and a path make one.
func operationID(method, path string) string {
	id := strings.ToLower(method)
	for part := range strings.FieldsFuncSeq(path, func(r rune) bool { return strings.ContainsRune("/{}$", r) }) {
		id += strings.ToUpper(part[:1]) + part[1:]
	}
	return id
}

// openAPI serves it.
func (a *API) openAPI(context.Context, Person, None) (http.Handler, error) {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(a.described) // the error of a client that has gone is ignored
	}), nil
}
