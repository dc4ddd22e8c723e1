// Package contract holds answers to the OpenAPI document that describes them. It
// is for tests: of the API's own package, and of the whole service.
//
// A document leaves its answers open, so that clients bear new members. Here they
// are closed: a member that is not described is a mistake of the document.
package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Document is an OpenAPI document that answers are held to.
type Document struct{ *openapi3.T }

// Load reads and validates a document, its examples included.
func Load(raw []byte) (*Document, error) {
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(openapi3.NewLoader().Context, openapi3.EnableExamplesValidation()); err != nil {
		return nil, err
	}
	closed := false
	for _, schema := range doc.Components.Schemas {
		if v := schema.Value; v.Type.Is("object") && len(v.Properties) > 0 && v.AdditionalProperties.Has == nil {
			v.AdditionalProperties.Has = &closed
		}
	}
	return &Document{doc}, nil
}

// Operation is the one of a request; nil: none is described.
func (d *Document) Operation(method, path string) *openapi3.Operation {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	path, _, _ = strings.Cut(path, "?")
	for template, item := range d.Paths.Map() {
		if matches(template, path) {
			return item.Operations()[method]
		}
	}
	return nil
}

// matches compares segment by segment: one in braces stands for any that is not
// empty.
func matches(template, path string) bool {
	want, have := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return false
	}
	for i := range want {
		if variable := strings.HasPrefix(want[i], "{"); variable && have[i] == "" || !variable && want[i] != have[i] {
			return false
		}
	}
	return true
}

// Check says how an answer is not what the document says: its status is not
// listed, a header is missing, or the body is of another type or schema. Paths
// that are not described have no operation; their answers must be problems.
func (d *Document) Check(method, path string, status int, header http.Header, body []byte) error {
	said := fmt.Sprintf("%s %s answered %d", method, path, status)
	op := d.Operation(method, path)
	if op == nil {
		if method == http.MethodHead {
			return nil
		}
		return d.holds(said, "Problem", d.Components.Schemas["Problem"].Value, body)
	}
	listed := op.Responses.Status(status)
	if listed == nil {
		listed = op.Responses.Value(strconv.Itoa(status/100) + "XX")
	}
	if listed == nil {
		return fmt.Errorf("%s, which is not listed: %s", said, body)
	}
	for name, h := range listed.Value.Headers {
		if h.Value.Required && header.Get(name) == "" {
			return fmt.Errorf("%s without the header %s", said, name)
		}
	}
	if len(listed.Value.Content) == 0 || method == http.MethodHead {
		if len(body) > 0 {
			return fmt.Errorf("%s with a body: %s", said, body)
		}
		return nil
	}
	media := listed.Value.Content[header.Get("Content-Type")]
	if media == nil {
		return fmt.Errorf("%s as %q", said, header.Get("Content-Type"))
	}
	return d.holds(said, header.Get("Content-Type"), media.Schema.Value, body)
}

// Schema holds JSON to one of the document's named schemas.
func (d *Document) Schema(name string, body []byte) error {
	schema := d.Components.Schemas[name]
	if schema == nil {
		return errors.New("no schema " + name)
	}
	return d.holds(name, name, schema.Value, body)
}

func (d *Document) holds(said, what string, schema *openapi3.Schema, body []byte) error {
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return fmt.Errorf("%s with what is not JSON: %w: %s", said, err, body)
	}
	if err := d.ValidateSchemaJSON(schema, value); err != nil {
		return fmt.Errorf("%s, which is no %s: %w\n%s", said, what, err, body)
	}
	return nil
}
