package tidy

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"slices"
	"strings"
	"testing"
)

// Bounds on one package, without its tests.
const (
	packageFilesMax = 25
	packageLinesMax = 2500
	packageNamesMax = 80 // exported functions, types, variables, constants and methods
)

// An exception is what a rule passes by, with the reason. A rule reports an
// exception that is not needed, so that its table only gets shorter.
type exception struct{ name, why string }

// large are the packages that may exceed a bound.
var large = []exception{
	{"envelope", "the one contract of all packages: types of the domain, each with few methods, that import nothing"},
	{"internal/operator", "the types of the API, its handlers and its client are in it"},
}

// A size is what one package comes to.
type size struct {
	dir                 string
	files, lines, names int
}

// over reports whether a package of that size exceeds a bound.
func (s size) over() bool {
	return s.files > packageFilesMax || s.lines > packageLinesMax || s.names > packageNamesMax
}

// sizes are those of the packages with production code, in path order.
func (t *tree) sizes() []size {
	of := map[string]*size{}
	for _, s := range t.sources {
		if s.test {
			continue
		}
		if of[s.dir] == nil {
			of[s.dir] = &size{dir: s.dir}
		}
		sum := of[s.dir]
		sum.files++
		sum.lines += strings.Count(s.text, "\n")
		for _, decl := range s.file.Decls {
			sum.names += exportedNames(decl)
		}
	}
	var all []size
	for _, dir := range slices.Sorted(maps.Keys(of)) {
		all = append(all, *of[dir])
	}
	return all
}

// exportedNames is how many names decl gives to other packages.
func exportedNames(decl ast.Decl) int {
	if fn, ok := decl.(*ast.FuncDecl); ok {
		if isExported(fn) {
			return 1
		}
		return 0
	}
	n := 0
	for _, spec := range decl.(*ast.GenDecl).Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() {
				n++
			}
		case *ast.ValueSpec:
			for _, name := range spec.Names {
				if name.IsExported() {
					n++
				}
			}
		}
	}
	return n
}

// receiver is the type that decl is a method of, "" when it is a function.
func receiver(decl *ast.FuncDecl) string {
	if decl.Recv == nil {
		return ""
	}
	expr := decl.Recv.List[0].Type
	for {
		switch x := expr.(type) {
		case *ast.StarExpr:
			expr = x.X
		case *ast.IndexExpr:
			expr = x.X
		case *ast.IndexListExpr:
			expr = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

// isExported reports whether decl is a name that other packages can use.
func isExported(decl *ast.FuncDecl) bool {
	on := receiver(decl)
	return decl.Name.IsExported() && (on == "" || token.IsExported(on))
}

func packageRules() []rule {
	const head = "// Package queue waits.\npackage queue\n"
	return []rule{{
		name:  "A package has one subject and ends",
		why:   "bounds on files and functions alone cut code into more files of ever larger packages: split by subject",
		check: func(t *tree) []finding { return t.oversized(large) },
		caught: []files{
			{"queue/a.go": head + strings.Repeat("\n", packageLinesMax-2), "queue/b.go": head},
			manyFiles(packageFilesMax + 1),
			{"queue/a.go": head + manyTypes(packageNamesMax+1)},
			{"queue/a.go": head + manyTypes(packageNamesMax) + "func (T0) Method() {}\n"},
		},
		passed: []files{
			{"queue/a.go": head + strings.Repeat("\n", packageLinesMax-2), "queue/a_test.go": head + strings.Repeat("\n", fileLinesMax)},
			manyFiles(packageFilesMax),
			{"queue/a.go": head + manyTypes(packageNamesMax) + "type t int\nfunc unseen() {}\nfunc (t) Method() {}\n"},
		},
	}}
}

func manyFiles(n int) files {
	all := files{}
	for i := range n {
		all[fmt.Sprintf("queue/f%d.go", i)] = "package queue\n"
		all[fmt.Sprintf("queue/f%d_test.go", i)] = "package queue\n"
	}
	return all
}

func manyTypes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "type T%d int\n", i)
	}
	return b.String()
}

// oversized reports packages that exceed a bound, and exceptions whose package
// is gone or within all bounds.
func (t *tree) oversized(except []exception) []finding {
	var found []finding
	over := map[string]bool{}
	for _, s := range t.sizes() {
		over[s.dir] = s.over()
		if s.over() && !slices.ContainsFunc(except, func(e exception) bool { return e.name == s.dir }) {
			found = append(found, finding{s.dir, fmt.Sprintf("%d files, %d lines, %d exported names; want at most %d, %d and %d",
				s.files, s.lines, s.names, packageFilesMax, packageLinesMax, packageNamesMax)})
		}
	}
	return append(found, t.unneeded("large", except, over)...)
}

// unneeded reports the exceptions of a table that nothing needs. A small tree
// needs none of them and has no go.mod: it is not asked.
func (t *tree) unneeded(table string, except []exception, needed map[string]bool) []finding {
	var found []finding
	for _, e := range except {
		if t.goMod != "" && !needed[e.name] {
			found = append(found, finding{e.name, "needs no exception: remove its line in " + table})
		}
	}
	return found
}

func TestUnneededExceptionsAreCaught(t *testing.T) {
	house := small(t, files{"go.mod": "module hongbao\n", "queue/a.go": "package queue\n\nfunc Enter() {}\n\nfunc f() { Enter() }\n"})
	except := []exception{{"queue", "small"}, {"queue.Enter", "called"}, {"gone", "not there"}}
	if found := house.oversized(except[:1]); len(found) != 1 {
		t.Errorf("a small package: found %v, want one line to remove", found)
	}
	if found := house.withoutCaller(except[1:]); len(found) != 2 {
		t.Errorf("a called and a missing function: found %v, want two lines to remove", found)
	}
}
