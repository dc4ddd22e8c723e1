package httpapi

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"hongbao/envelope"
	"hongbao/internal/contract"
)

// spec is the served description, loaded and validated once.
var spec = sync.OnceValues(func() (*contract.Document, error) { return contract.Load(OpenAPI()) })

func loadSpec(t testing.TB) *contract.Document {
	t.Helper()
	doc, err := spec()
	if err != nil {
		t.Fatalf("openapi.json: %v", err)
	}
	return doc
}

func TestTheDescriptionIsValidOpenAPI31(t *testing.T) {
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

func TestDescriptionListsExactlyTheRoutes(t *testing.T) {
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

func TestTheDescriptionListsTheTablesCodes(t *testing.T) {
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

// conforms holds one answer to the description.
func conforms(t testing.TB, r *http.Request, res *http.Response, body []byte) {
	t.Helper()
	if err := loadSpec(t).Check(r.Method, r.URL.EscapedPath(), res.StatusCode, res.Header, body); err != nil {
		t.Error(err)
	}
}

// FS32: what generators and readers need is there.
func TestTheDescriptionIsWhole(t *testing.T) {
	doc := loadSpec(t)
	for name, schema := range doc.Components.Schemas {
		if len(schema.Value.Examples) == 0 {
			t.Errorf("schema %s has no example", name)
		}
		for _, example := range schema.Value.Examples {
			raw, err := json.Marshal(example)
			if err != nil {
				t.Fatal(err)
			}
			if err := doc.Schema(name, raw); err != nil {
				t.Errorf("example of %s: %v", name, err)
			}
		}
		if schema.Value.Type == nil && len(schema.Value.OneOf) > 0 && (schema.Value.Discriminator == nil || len(schema.Value.Discriminator.Mapping) == 0) {
			t.Errorf("schema %s has variants and no discriminator", name)
		}
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			for status, response := range op.Responses.Map() {
				retried := slices.Contains([]string{"408", "429", "503", "504"}, status)
				if retried && (response.Value.Headers["Retry-After"] == nil || !response.Value.Headers["Retry-After"].Value.Required) {
					t.Errorf("%s %s: %s without Retry-After", method, path, status)
				}
			}
			for _, status := range []string{"405", "417", "431", "501", "505"} {
				if op.OperationID != "notify" && op.Responses.Value(status) == nil {
					t.Errorf("%s %s does not list %s", method, path, status)
				}
			}
			if op.RequestBody != nil && op.OperationID != "notify" && (op.Responses.Value("413") == nil || op.Responses.Value("415") == nil) {
				t.Errorf("%s %s takes a body and does not list 413 and 415", method, path)
			}
		}
	}
	var raw struct {
		Webhooks   map[string]any
		Components struct{ Schemas map[string]map[string]any }
	}
	if err := json.Unmarshal(OpenAPI(), &raw); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []envelope.FactKind{envelope.FactActive, envelope.FactOpened, envelope.FactFinished, envelope.FactRefunded} {
		if raw.Webhooks[string(kind)] == nil {
			t.Errorf("no webhook %s", kind)
		}
	}
	for name, schema := range raw.Components.Schemas {
		if _, closed := schema["additionalProperties"]; closed != strings.HasPrefix(name, "Order") && schema["type"] == "object" {
			t.Errorf("schema %s: closed %v; orders are, answers are open to new members", name, closed)
		}
	}
}
