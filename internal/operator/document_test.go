package operator

import (
	"strings"
	"testing"

	"hongbao/internal/contract"
)

// FS32: every call has its operation, and every input its parameters.
func TestTheDocumentDescribesEveryCall(t *testing.T) {
	calls := (&API{}).calls()
	raw, err := newDocument(calls)
	if err != nil {
		t.Fatal(err)
	}
	document, err := contract.Load(raw)
	if err != nil {
		t.Fatal(err)
	}
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
