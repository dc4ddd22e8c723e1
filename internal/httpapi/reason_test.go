package httpapi

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// unanswered are the reasons that no answer of HTTP can have.
var unanswered = map[string]string{
	"event_endpoint": "said to the relay, which waits; no caller asks for an event",
}

// reasonScan is what production code says of reasons.
type reasonScan struct {
	named   map[string]string // constants of a type Reason, by their value, with their names
	literal []string          // places where a reason is written out instead
}

// scan reads one file. Reasons are named by constants of a type Reason, once; a
// text where one is meant would compile and be answered as busy.
func (s *reasonScan) scan(t testing.TB, name, text string) {
	t.Helper()
	set := token.NewFileSet()
	var from any
	if text != "" {
		from = text
	}
	file, err := parser.ParseFile(set, name, from, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	own := file.Name.Name == "envelope" || file.Name.Name == "queue"
	taking := takingReasons(own, file)
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			if named(own, n.Type, "Reason") && len(n.Values) == len(n.Names) {
				for i, value := range n.Values {
					s.named[unquote(value)] = n.Names[i].Name
				}
			}
		case *ast.CompositeLit:
			if named(own, n.Type, "BusyError") && slices.ContainsFunc(n.Elts, isTextOfReason) {
				s.literal = append(s.literal, set.Position(n.Pos()).String())
			}
		case *ast.CallExpr:
			at, takes := taking[calledName(n)]
			if named(own, n.Fun, "Reason") {
				at, takes = 0, true
			}
			if takes && at < len(n.Args) && isText(n.Args[at]) {
				s.literal = append(s.literal, set.Position(n.Pos()).String())
			}
		}
		return true
	})
}

// takingReasons are the functions of a file with a parameter of a type Reason, and
// which it is.
func takingReasons(own bool, file *ast.File) map[string]int {
	taking := map[string]int{}
	note := func(name string, fn *ast.FuncType) {
		at := 0
		for _, field := range fn.Params.List {
			if named(own, field.Type, "Reason") {
				taking[name] = at
			}
			at += max(1, len(field.Names))
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			note(n.Name.Name, n.Type)
		case *ast.AssignStmt:
			if fn, ok := n.Rhs[0].(*ast.FuncLit); ok {
				if name, ok := n.Lhs[0].(*ast.Ident); ok {
					note(name.Name, fn.Type)
				}
			}
		}
		return true
	})
	return taking
}

// named reports a type of that name of one of the two packages that have reasons;
// own says that e stands in one of them.
func named(own bool, e ast.Expr, name string) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return own && e.Name == name
	case *ast.SelectorExpr:
		pkg, ok := e.X.(*ast.Ident)
		return ok && e.Sel.Name == name && (pkg.Name == "envelope" || pkg.Name == "queue")
	}
	return false
}

func isTextOfReason(element ast.Expr) bool {
	pair, ok := element.(*ast.KeyValueExpr)
	if !ok {
		return isText(element)
	}
	key, ok := pair.Key.(*ast.Ident)
	return ok && key.Name == "Reason" && isText(pair.Value)
}

func calledName(call *ast.CallExpr) string {
	if name, ok := call.Fun.(*ast.Ident); ok {
		return name.Name
	}
	return ""
}

func isText(e ast.Expr) bool {
	literal, ok := e.(*ast.BasicLit)
	return ok && literal.Kind == token.STRING
}

func unquote(e ast.Expr) string {
	literal, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	text, _ := strconv.Unquote(literal.Value)
	return text
}

// missing are the reasons without a row that may be tried again.
func (s *reasonScan) missing(table problemTable) (codes []string) {
	for code := range s.named {
		if p := table[code]; (p == nil || !p.retryable) && unanswered[code] == "" {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	return codes
}

// Every reason of a BusyError, in whatever package, has its row in the table.
func TestEveryBusyReasonHasARow(t *testing.T) {
	s := reasonScan{named: map[string]string{}}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && (name == "testdata" || name == "tools" || strings.HasPrefix(name, ".") && name != ".." && path != "../.."):
			return fs.SkipDir
		case !d.IsDir() && strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
			s.scan(t, path, "")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.named) < 20 {
		t.Fatalf("found %d reasons; the test looks in the wrong place", len(s.named))
	}
	for _, code := range s.missing(newProblemTable()) {
		t.Errorf("%s (%s) has no row that may be tried again", s.named[code], code)
	}
	for _, place := range s.literal {
		t.Errorf("%s: a reason is a constant of envelope.Reason or queue.Reason, not a text", place)
	}
}

// TestAReasonWithoutARowIsFound is the control of the test above.
func TestAReasonWithoutARowIsFound(t *testing.T) {
	table := newProblemTable()
	delete(table, "payment_funds")
	s := reasonScan{named: map[string]string{}}
	s.scan(t, "a.go", `package queue
const (
	ReasonFunds envelope.Reason = "payment_funds"
	ReasonMoon Reason = "moon_phase"
	ReasonDown queue.Reason = "database_down"
)`)
	if got, want := s.missing(table), []string{"moon_phase", "payment_funds"}; !slices.Equal(got, want) {
		t.Errorf("missing %q, want %q", got, want)
	}
	for _, written := range []string{
		`func f() any { return &envelope.BusyError{Reason: "callbacks"} }`,
		`func busy(after int, reason envelope.Reason) error { return nil }; func f() error { return busy(1, "callbacks") }`,
		`func f() { busy := func(reason envelope.Reason) error { return nil }; busy("callbacks") }`,
		`func f() any { return envelope.Reason("callbacks") }`,
	} {
		s := reasonScan{named: map[string]string{}}
		if s.scan(t, "a.go", "package a\n"+written); len(s.literal) != 1 {
			t.Errorf("%s: found %q", written, s.literal)
		}
	}
}
