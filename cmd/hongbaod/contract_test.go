package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hongbao/internal/contract"
	"hongbao/internal/httpapi"
	"hongbao/internal/settest"
)

// FS32: a client is generated from the document that the service serves, and
// opens an envelope. Generator and what the client links are the tools' module.
func TestAGeneratedClientOpensAnEnvelope(t *testing.T) {
	p := settest.Playground(t)
	dir := t.TempDir()
	served, err := p.Call(t.Context(), http.MethodGet, "/openapi.json", "", "")
	if err != nil || served.Status != http.StatusOK {
		t.Fatal(err, served)
	}
	files := map[string][]byte{"openapi.json": served.Body}
	for name, from := range map[string]string{
		"go.mod": "../../tools/go.mod", "go.sum": "../../tools/go.sum", "ogen.yml": "testdata/ogenclient/ogen.yml", "main.go": "testdata/ogenclient/main.go",
	} {
		if files[name], err = os.ReadFile(from); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off", "SENDER="+p.Token("ming"), "OPENER="+p.Token("fang"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	run("go", "tool", "ogen", "--config", "ogen.yml", "--target", "client", "--package", "client", "openapi.json")
	run("go", "build", "-o", "tour", ".")
	id := run(filepath.Join(dir, "tour"), p.API)
	if shown := show(t, p, "ming", id); len(shown.Shares) != 1 || shown.Shares[0].UserID != "fang" {
		t.Errorf("the generated client opened %+v", shown.Shares)
	}
}

// FS32: what the IM backend is sent is what the document's webhooks say.
func TestEventsAreAsTheDocumentSays(t *testing.T) {
	p := settest.Playground(t, "--life", "4s")
	document, err := contract.Load(httpapi.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	whole, wholeTicket := p.Paid(t, "sender", `{"kind":"exclusive","total_fen":500,"recipient_id":"user-1","group_id":"g"}`)
	part, partTicket := p.Paid(t, "sender", `{"kind":"lucky","total_fen":1000,"count":5,"group_id":"g"}`)
	for id, ticket := range map[string]string{whole: wholeTicket, part: partTicket} {
		if a, err := p.Call(t.Context(), http.MethodPost, "/v1/envelopes/"+id+"/open", "user-1", "", "Envelope-Ticket", ticket); err != nil || a.Status != http.StatusOK {
			t.Fatal(err, a)
		}
	}
	schemas := map[string]string{"envelope.active": "EventActive", "share.opened": "EventOpened", "envelope.finished": "EventFinished", "envelope.refunded": "EventRefunded"}
	seen := map[string]bool{}
	await(t, "an event of each kind", func() bool {
		a, err := p.Call(t.Context(), http.MethodGet, p.Events+"/events", "", "")
		if err != nil {
			t.Fatal(err)
		}
		var inbox struct {
			Events []struct {
				ID    string          `json:"id"`
				Event json.RawMessage `json:"event"`
			} `json:"events"`
		}
		if err := json.Unmarshal(a.Body, &inbox); err != nil {
			t.Fatal(err)
		}
		for _, e := range inbox.Events {
			var kind struct {
				Type string `json:"type"`
			}
			err := json.Unmarshal(e.Event, &kind)
			if err == nil && schemas[kind.Type] == "" {
				err = fmt.Errorf("%q has no webhook", kind.Type)
			}
			if err == nil {
				err = document.Schema(schemas[kind.Type], e.Event)
			}
			if err != nil {
				t.Fatalf("event %s: %v", e.ID, err)
			}
			seen[kind.Type] = true
		}
		return len(seen) == len(schemas)
	})
}

// FS32: the operator's listener has a document of its own, and answers by it.
func TestOperatorAnswersFollowTheirDocument(t *testing.T) {
	p := settest.Playground(t)
	served, err := p.Call(t.Context(), http.MethodGet, p.Operator+"/openapi.json", "", "")
	if err != nil || served.Status != http.StatusOK {
		t.Fatal(err, served)
	}
	document, err := contract.Load(served.Body)
	if err != nil {
		t.Fatal(err)
	}
	p.Paid(t, "sender", `{"kind":"lucky","total_fen":1000,"count":5,"group_id":"g"}`)
	for path, want := range map[string]int{"/outbox": 200, "/readyz": 200, "/load/mode": 200, "/held": 401, "/disputes": 401, "/parked?x=1": 401, "/outbox?x=1": 400} {
		a, err := p.Call(t.Context(), http.MethodGet, p.Operator+path, "", "")
		if err == nil && a.Status != want {
			err = fmt.Errorf("%d, want %d", a.Status, want)
		}
		if err == nil {
			err = document.Check(http.MethodGet, path, a.Status, a.Header, a.Body)
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}
