package httpapi

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// spec is the served description, loaded and validated once.
var spec = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(OpenAPI())
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(openapi3.NewLoader().Context, openapi3.EnableExamplesValidation())
})

func loadSpec(t testing.TB) *openapi3.T {
	t.Helper()
	doc, err := spec()
	if err != nil {
		t.Fatalf("openapi.json: %v", err)
	}
	return doc
}

func TestTheDescriptionIsServedAndIsValidOpenAPI31(t *testing.T) {
	doc := loadSpec(t)
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("openapi = %q, want 3.1.0", doc.OpenAPI)
	}
	a, _ := newAPI(t, &stubTeller{})
	res, body := do(t, a, request(t, "GET", "/openapi.json", "", "Authorization", ""))
	if res.StatusCode != http.StatusOK || body != string(OpenAPI()) {
		t.Errorf("GET /openapi.json: %d and %d bytes, want 200 and the document", res.StatusCode, len(body))
	}
}

func TestTheDescriptionListsExactlyTheRoutes(t *testing.T) {
	a, _ := newAPI(t, &stubTeller{})
	var routed, described []string
	for _, r := range a.engine.Routes() {
		if r.Method == http.MethodHead { // of each path with GET; the description says so once
			continue
		}
		routed = append(routed, r.Method+" "+strings.ReplaceAll(r.Path, ":id", "{id}"))
	}
	for path, item := range loadSpec(t).Paths.Map() {
		for method := range item.Operations() {
			described = append(described, method+" "+path)
		}
	}
	slices.Sort(routed)
	slices.Sort(described)
	if !slices.Equal(routed, described) {
		t.Errorf("routed:    %v\ndescribed: %v", routed, described)
	}
}

func TestTheDescriptionListsExactlyTheCodesOfTheTable(t *testing.T) {
	var table, described []string
	for _, p := range problems() {
		if !p.callback && !p.operator {
			table = append(table, p.code)
		}
	}
	for _, code := range loadSpec(t).Components.Schemas["Code"].Value.Enum {
		described = append(described, code.(string))
	}
	slices.Sort(table)
	slices.Sort(described)
	if !slices.Equal(table, described) {
		t.Errorf("table:     %v\ndescribed: %v", table, described)
	}
}

// conforms holds one answer to the description: a listed status, its media type,
// its required headers and its schema. Paths that are not served have no
// operation; their problems are held to the schema alone.
func conforms(t testing.TB, r *http.Request, res *http.Response, body []byte) {
	t.Helper()
	doc := loadSpec(t)
	op := operation(doc, r)
	if op == nil {
		validates(t, doc, doc.Components.Schemas["Problem"].Value, res, body)
		return
	}
	listed := op.Responses.Status(res.StatusCode)
	if listed == nil {
		listed = op.Responses.Value(strconv.Itoa(res.StatusCode/100) + "XX")
	}
	if listed == nil {
		t.Fatalf("%s %s answered %d, which its description does not list: %s", r.Method, r.URL.Path, res.StatusCode, body)
	}
	for name, h := range listed.Value.Headers {
		if h.Value.Required && res.Header.Get(name) == "" {
			t.Errorf("%s %s answered %d without the header %s", r.Method, r.URL.Path, res.StatusCode, name)
		}
	}
	if len(listed.Value.Content) == 0 {
		if len(body) > 0 {
			t.Errorf("%s %s answered %d with a body: %s", r.Method, r.URL.Path, res.StatusCode, body)
		}
		return
	}
	media := listed.Value.Content[res.Header.Get("Content-Type")]
	if media == nil {
		t.Fatalf("%s %s answered %d as %q", r.Method, r.URL.Path, res.StatusCode, res.Header.Get("Content-Type"))
	}
	validates(t, doc, media.Schema.Value, res, body)
}

func operation(doc *openapi3.T, r *http.Request) *openapi3.Operation {
	path := r.URL.EscapedPath()
	if rest, ok := strings.CutPrefix(path, "/v1/envelopes/"); ok {
		_, verb, more := strings.Cut(rest, "/")
		path = "/v1/envelopes/{id}"
		if more {
			path += "/" + verb
		}
	}
	item := doc.Paths.Value(path)
	if item == nil {
		return nil
	}
	return item.Operations()[r.Method]
}

func validates(t testing.TB, doc *openapi3.T, schema *openapi3.Schema, res *http.Response, body []byte) {
	t.Helper()
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		t.Fatalf("answer %d is not JSON: %v: %s", res.StatusCode, err, body)
	}
	if err := doc.ValidateSchemaJSON(schema, value); err != nil {
		t.Errorf("answer %d does not match its schema: %v\n%s", res.StatusCode, err, body)
	}
}
