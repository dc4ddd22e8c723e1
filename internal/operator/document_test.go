package operator

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"hongbao/envelope"
	"hongbao/internal/contract"
	"hongbao/internal/httpapi"
)

// described is the document that an API serves, loaded and validated once: it is the
// same for all.
func described(t *testing.T) *contract.Document {
	t.Helper()
	document, err := load()
	if err != nil {
		t.Fatal(err)
	}
	return document
}

var load = sync.OnceValues(func() (*contract.Document, error) {
	raw, err := newDocument((&API{}).calls(), httpapi.NewProblems(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, err
	}
	return contract.Load(raw)
})

// FS32: every call has its operation, and every input its parameters.
func TestTheDocumentDescribesEveryCall(t *testing.T) {
	calls, document := (&API{}).calls(), described(t)
	described := 0
	for _, item := range document.Paths.Map() {
		described += len(item.Operations())
	}
	if described != len(calls)+1 { // and /readyz
		t.Errorf("%d operations of %d calls", described, len(calls))
	}
	for _, c := range calls {
		method, path, _ := strings.Cut(c.pattern, " ")
		op := document.Operation(method, strings.TrimSuffix(path, "{$}"))
		if op == nil {
			t.Errorf("%s has no operation", c.pattern)
			continue
		}
		if inPath := strings.Count(strings.TrimSuffix(path, "{$}"), "{"); len(op.Parameters) < inPath {
			t.Errorf("%s: %d parameters, want at least %d", c.pattern, len(op.Parameters), inPath)
		}
		if c.open != (op.Security != nil) {
			t.Errorf("%s: open %v, and its operation says otherwise", c.pattern, c.open)
		}
	}
}

// FS32: every schema and every parameter has an example that it admits.
func TestEverySchemaHasAnExample(t *testing.T) {
	document := described(t)
	for name, schema := range document.Components.Schemas {
		if len(schema.Value.Examples) == 0 {
			t.Errorf("schema %s has no example", name)
		}
		for _, example := range schema.Value.Examples {
			raw, err := json.Marshal(example)
			if err == nil {
				err = document.Schema(name, raw)
			}
			if err != nil {
				t.Errorf("example of %s: %v", name, err)
			}
		}
	}
	for path, item := range document.Paths.Map() {
		for method, op := range item.Operations() {
			for _, p := range op.Parameters {
				if len(p.Value.Schema.Value.Examples) != 1 {
					t.Errorf("%s %s: parameter %s has no example", method, path, p.Value.Name)
				}
			}
		}
	}
	for kind, value := range examples() {
		if v, is := value.(interface{ Validate() error }); is && v.Validate() != nil {
			t.Errorf("the example of %v breaks its rule: %v", kind, v.Validate())
		}
	}
}

// refusals are requests that a call refuses, or cannot carry out, each in another way.
func refusals(t *testing.T, method, target string) map[string]func(sets []*noted) *http.Request {
	t.Helper()
	sign := "?"
	if strings.Contains(target, "?") {
		sign = "&"
	}
	all := map[string]func(sets []*noted) *http.Request{}
	asked := func(what, method, target, body string, headers ...string) {
		all[what] = func([]*noted) *http.Request { return request(t, method, target, body, headers...) }
	}
	asked("as it should be", method, target, "")
	asked("no token", method, target, "", "Authorization", "")
	asked("no scope", method, target, "", "Authorization", "Bearer "+token(t, "ann", ""))
	asked("a parameter", method, target+sign+"xyz=1", "")
	asked("a body", method, target, "[]")
	asked("a form", method, target, "x=1", "Content-Type", "application/x-www-form-urlencoded")
	asked("a large body", method, target, `{"x":"`+strings.Repeat("x", bodyBytesMax)+`"}`)
	asked("another site", method, target, "", "Sec-Fetch-Site", "cross-site")
	asked("another method", http.MethodPatch, target, "")
	asked("what is not there", method, strings.NewReplacer("/heap", "/secrets", "/sets/001", "/sets/007").Replace(target), "")
	all["another host"] = func([]*noted) *http.Request {
		r := request(t, method, target, "")
		r.Host = "evil.example"
		return r
	}
	for what, err := range map[string]error{
		"not found": envelope.ErrNotFound, "forbidden": &envelope.InvalidError{Field: "transfer", Why: "is not held"},
		"contended": &envelope.BusyError{Reason: "envelope_contended"}, "down": &envelope.BusyError{Reason: "set_unavailable"},
		"no day": &envelope.BusyError{Reason: "day_not_ready"}, "left": &envelope.BusyError{Reason: "canceled"},
		"unknown": envelope.ErrUnknownOutcome, "a fault": errors.New("broken"),
	} {
		all[what] = func(sets []*noted) *http.Request {
			sets[0].err, sets[1].err = err, err
			return request(t, method, target, "")
		}
	}
	return all
}

// FS32: every answer of every call is listed with its status and its shape, and every
// status that is listed is answered.
func TestEveryAnswerIsAsTheDocumentSays(t *testing.T) {
	elsewhere := []string{"408", "417", "431", "501", "505"} // of a connection; see the next test
	test := func(t *testing.T, c call, method string, targets ...string) {
		seen, document := []string{}, described(t)
		for _, target := range targets {
			for what, make := range refusals(t, method, target) {
				a, sets := newAPI(t, nil)
				r := make(sets)
				w := do(a, r)
				// Another method is no operation; its 405 stands with the path's own.
				if err := document.Check(method, r.URL.Path, w.Code, w.Header(), w.Body.Bytes()); err != nil && c.out.Name() != "Handler" {
					t.Errorf("%s: %v", what, err)
				}
				seen = append(seen, strconv.Itoa(w.Code))
			}
		}
		for status := range document.Operation(method, strings.Split(targets[0], "?")[0]).Responses.Map() {
			inUse := status == "500" && strings.Contains(targets[0], "pprof")
			if !slices.Contains(seen, status) && !slices.Contains(elsewhere, status) && !inUse {
				t.Errorf("%s is listed and nothing was answered so", status)
			}
		}
	}
	everyCall(t, func(t *testing.T, c call, method, target string) {
		if c.pattern != "POST /stuck/retry" { // it is about one of them, or about all SETs
			test(t, c, method, target)
			return
		}
		test(t, c, method, target+"?no="+someNo, target)
	})
	t.Run("GET _readyz", func(t *testing.T) { test(t, readyCall, "GET", "/readyz") })
}

// FS32: what net/http refuses by itself is listed as it answers.
func TestRefusalsFollowTheDocument(t *testing.T) {
	a, _ := newAPI(t, nil)
	s := httptest.NewUnstartedServer(a)
	s.Config.MaxHeaderBytes = 8 << 10
	s.Start()
	defer s.Close()
	document := described(t)
	for status, lines := range map[int]string{
		400: "GET /outbox HTTP/1.1\r\nHost: a b\r\n\r\n", 417: "GET /outbox HTTP/1.1\r\nHost: localhost\r\nExpect: more\r\n\r\n",
		431: "GET /outbox HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 32<<10) + "\r\n\r\n",
		501: "GET /outbox HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", 505: "GET /outbox HTTP/3.0\r\nHost: localhost\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, lines); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%d: %v", status, err)
		}
		body, _ := io.ReadAll(res.Body) // the connection may be reset once the answer is there
		listed := document.Operation("GET", "/outbox").Responses.Status(status)
		if res.StatusCode != status || listed == nil || (len(body) > 0) != (listed.Value.Content[res.Header.Get("Content-Type")] != nil) {
			t.Errorf("want %d as listed, got %s", status, fmt.Sprint(res.Status, res.Header, string(body)))
		}
	}
}
