package tidy

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// Names of package time that read the clock or wait for it.
var clockReaders = strings.Fields("Now Since Until After AfterFunc Tick NewTicker NewTimer Sleep")

// Names of math/rand and math/rand/v2 that need a source from the caller; all
// others draw from the one of the process.
var seededRand = strings.Fields("New NewChaCha8 NewPCG NewSource NewZipf Rand Source Source64 ChaCha8 PCG Zipf")

// Names of package sync that remember something. A Pool is not among them: it
// may forget at any time, so nothing can depend on it.
var syncState = strings.Fields("Cond Map Mutex Once RWMutex WaitGroup")

// registries are packages whose constructors, called for a package variable,
// register something with the whole process.
var registries = []string{
	"expvar", "flag",
	"github.com/prometheus/client_golang/prometheus",
	"github.com/prometheus/client_golang/prometheus/promauto",
}

func stateRules() []rule {
	return []rule{
		{
			name:  "The domain has no clock and no dice of its own",
			why:   "time and seed are arguments: the same call gives the same answer to the audit, to a third party and in a test",
			check: each(checkClock),
			caught: []files{
				{"envelope/a.go": "package envelope\nimport \"time\"\nvar now = time.Now"},
				{"envelope/a.go": "package envelope\nimport clock \"time\"\nfunc age(t clock.Time) clock.Duration { return clock.Since(t) }"},
				{"envelope/a.go": "package envelope\nimport \"math/rand/v2\"\nfunc die() int { return rand.IntN(6) }"},
				{"envelope/a.go": "package envelope\nimport \"crypto/rand\"\nvar _ = rand.Reader"},
			},
			passed: []files{
				{"envelope/a.go": "package envelope\nimport \"time\"\nfunc day(t time.Time) int { return t.Day() }"},
				{"envelope/a.go": "package envelope\nimport \"math/rand/v2\"\nfunc die(r *rand.Rand) int { return r.IntN(6) }"},
				{"envelope/a_test.go": "package envelope\nimport \"time\"\nvar now = time.Now"},
				{"orderset/a.go": "package orderset\nimport \"time\"\nvar now = time.Now"},
			},
		},
		{
			name:   "Nothing happens before main",
			why:    "an init runs in every program that links it, in an order that is written nowhere, and takes no argument",
			check:  each(checkInit),
			caught: []files{{"queue/a.go": "package queue\nfunc init() {}"}},
			passed: []files{
				{"queue/a.go": "package queue\ntype T struct{}\nfunc (T) init() {}"},
				{"queue/a_test.go": "package queue\nfunc init() {}"},
			},
		},
		{
			name:   "A package keeps no state",
			why:    "two SETs run in one process; what belongs to one of them is a field of something it was given",
			check:  each(checkState),
			caught: stateCaught(),
			passed: statePassed(),
		},
	}
}

func stateCaught() []files {
	var trees []files
	for _, text := range []string{
		"var n int\nfunc f() { n = 1 }",
		"var n int\nfunc f() { n++ }",
		"var n int\nfunc f() { n += 2 }",
		"var m = map[string]int{}\nfunc f() { m[\"a\"] = 1 }",
		"var m = map[string]int{}\nfunc f() { delete(m, \"a\") }",
		"var v struct{ n int }\nfunc f() { v.n = 1 }",
		"var n int\nfunc f() *int { return &n }",
		"var n int\nfunc f(all []int) { for _, n = range all {} }",
		"import \"net/http\"\nfunc f() { http.DefaultClient = nil }",
		"import \"sync\"\nvar mu sync.Mutex",
		"import \"sync\"\nvar cache = struct { sync.RWMutex; m map[string]int }{}",
		"import \"sync/atomic\"\nvar n atomic.Int64",
		"import \"sync/atomic\"\nvar n = new(atomic.Int64)",
		"var wake = make(chan struct{})",
		"import \"github.com/prometheus/client_golang/prometheus\"\nvar n = prometheus.NewCounter(prometheus.CounterOpts{})",
	} {
		trees = append(trees, files{"queue/a.go": "package queue\n" + text})
	}
	return append(trees, files{"queue/a.go": "package queue\nvar n int", "queue/b.go": "package queue\nfunc f() { n = 1 }"})
}

func statePassed() []files {
	var trees []files
	for _, text := range []string{
		"import \"errors\"\nvar ErrFull = errors.New(\"full\")",
		"import \"regexp\"\nvar digits = regexp.MustCompile(`\\d`)",
		"import \"embed\"\nvar (\n//go:embed *.sql\nfiles embed.FS\n)",
		"type T struct{}\nvar _ interface{ f() } = T{}\nfunc (T) f() {}",
		"var names = map[int]string{1: \"a\"}\nfunc f() string { return names[1] }",
		"var n int\nfunc f() int { n := 1; n++; return n }",
		"var n int\nfunc f(n int) *int { n = 2; return &n }",
		"type T struct{ n int }\nvar n int\nfunc (t *T) f() { t.n = n }",
		"import \"sync\"\nvar buffers = sync.Pool{New: func() any { return make(chan int) }}",
		"import \"sync\"\ntype T struct { mu sync.Mutex }",
	} {
		trees = append(trees, files{"queue/a.go": "package queue\n" + text})
	}
	return append(trees, files{"queue/a_test.go": "package queue\nvar n int\nfunc f() { n = 1 }"})
}

func checkClock(t *tree, s *source) []finding {
	if s.dir != "envelope" || s.test {
		return nil
	}
	var found []finding
	ast.Inspect(s.file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		name := sel.Sel.Name
		switch s.imported(sel.X) {
		case "time":
			if slices.Contains(clockReaders, name) {
				found = append(found, t.at(sel.Pos(), "time.%s reads the clock: take a time.Time", name))
			}
		case "math/rand", "math/rand/v2":
			if !slices.Contains(seededRand, name) {
				found = append(found, t.at(sel.Pos(), "rand.%s draws from the process: take the seed", name))
			}
		case "crypto/rand":
			found = append(found, t.at(sel.Pos(), "crypto/rand cannot be repeated: take the seed"))
		}
		return true
	})
	return found
}

func checkInit(t *tree, s *source) []finding {
	var found []finding
	for _, decl := range s.file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if ok && !s.test && fn.Recv == nil && fn.Name.Name == "init" {
			found = append(found, t.at(fn.Pos(), "func init: make it a constructor and call it"))
		}
	}
	return found
}

// checkState reports package variables made to remember something and every
// statement that could change one. What is declared once and only read, such
// as an error, a pattern, a table or an embedded file, passes.
func checkState(t *tree, s *source) []finding {
	if s.test {
		return nil
	}
	var found []finding
	report := func(pos token.Pos, what string) {
		found = append(found, t.at(pos, "%s: make it a field of what owns it", what))
	}
	for _, decl := range s.file.Decls {
		if group, ok := decl.(*ast.GenDecl); ok && group.Tok == token.VAR {
			ast.Inspect(group, func(n ast.Node) bool {
				if what := s.remembers(n); what != "" {
					report(n.Pos(), "package variable with "+what)
				}
				_, isFunc := n.(*ast.FuncLit)
				return !isFunc
			})
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		for _, expr := range changed(n) {
			if name := s.packageVar(expr); name != "" {
				report(expr.Pos(), "changes package variable "+name)
			}
		}
		return true
	})
	return found
}

// remembers names the part of a package variable's declaration that n is, if
// it is one that only makes sense when it changes.
func (s *source) remembers(n ast.Node) string {
	switch n := n.(type) {
	case *ast.SelectorExpr:
		pkg := s.imported(n.X)
		if pkg == "sync" && slices.Contains(syncState, n.Sel.Name) || pkg == "sync/atomic" {
			return "a " + pkg + "." + n.Sel.Name
		}
	case *ast.CallExpr:
		if pkg, name := s.called(n); slices.Contains(registries, pkg) {
			return pkg + "." + name
		}
	case *ast.ChanType:
		return "a channel"
	}
	return ""
}

// changed lists the expressions whose variables n changes or lets others change.
func changed(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		return n.Lhs // what := declares is no package variable
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.RangeStmt:
		if n.Tok == token.ASSIGN {
			return slices.DeleteFunc([]ast.Expr{n.Key, n.Value}, func(e ast.Expr) bool { return e == nil })
		}
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			return []ast.Expr{n.X}
		}
	case *ast.CallExpr:
		builtin, ok := n.Fun.(*ast.Ident)
		if ok && len(n.Args) > 0 && slices.Contains([]string{"clear", "copy", "delete"}, builtin.Name) {
			return n.Args[:1]
		}
	}
	return nil
}

// packageVar names the package variable, of this or another package, that expr
// is or is a part of; "" when it is something else.
func (s *source) packageVar(expr ast.Expr) string {
	switch e := expr.(type) {
	case *ast.Ident:
		if s.isPackageVar(e) {
			return e.Name
		}
	case *ast.SelectorExpr:
		if pkg := s.imported(e.X); pkg != "" {
			return pkg + "." + e.Sel.Name
		}
		return s.packageVar(e.X)
	case *ast.IndexExpr:
		return s.packageVar(e.X)
	case *ast.SliceExpr:
		return s.packageVar(e.X)
	case *ast.StarExpr:
		return s.packageVar(e.X)
	case *ast.ParenExpr:
		return s.packageVar(e.X)
	}
	return ""
}
