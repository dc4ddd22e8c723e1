package tidy

import (
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// module is what go.mod calls the tree; the import path of our packages starts with it.
const module = "hongbao"

// rulebook is the one directory that quotes what the rules about words forbid.
const rulebook = "internal/tidy"

// A tree is every source file below the module's root.
type tree struct {
	fset    *token.FileSet
	sources []*source // the Go files, in path order
	scripts []script  // the SQL files, in path order
	top     []string  // the names of the directories in the root
	// failures is the text of the catalogue of failures.
	failures string
	guides   []script // texts that name what is in the tree
	paths    []string // of all files, and of the directories that are not entered
	goMod    string   // what the module requires; "" in a small tree
}

// A source is one parsed Go file.
type source struct {
	path string // slash-separated, from the root
	dir  string // of path
	test bool   // it is only compiled for tests
	text string
	file *ast.File
	info *types.Info // names resolved within the package; what is imported stays unknown
}

// A script is one SQL file.
type script struct {
	path, text string
}

// A finding is one place that breaks a rule.
type finding struct {
	at   string // path or path:line
	what string
}

// at reports what as a finding at the line of pos.
func (t *tree) at(pos token.Pos, format string, args ...any) finding {
	p := t.fset.Position(pos)
	return finding{fmt.Sprintf("%s:%d", p.Filename, p.Line), fmt.Sprintf(format, args...)}
}

// read parses the tree below root. Directories that hold no source of ours are
// passed by: hidden ones, what make built, the tools' own module, test data.
func read(root fs.FS) (*tree, error) {
	t := &tree{fset: token.NewFileSet()}
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return t.enter(name)
		}
		t.paths = append(t.paths, name)
		if isGuide(name) {
			text, err := fs.ReadFile(root, name)
			t.guides = append(t.guides, script{name, string(text)})
			if err != nil {
				return err
			}
		}
		switch {
		case strings.HasSuffix(name, ".go"):
			return t.parse(root, name)
		case strings.HasSuffix(name, ".sql"):
			text, err := fs.ReadFile(root, name)
			t.scripts = append(t.scripts, script{name, string(text)})
			return err
		case name == catalogue:
			text, err := fs.ReadFile(root, name)
			t.failures = string(text)
			return err
		case name == "go.mod":
			text, err := fs.ReadFile(root, name)
			t.goMod = string(text)
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(t.sources, func(a, b *source) int { return cmp.Compare(a.path, b.path) })
	t.resolve()
	return t, nil
}

func (t *tree) enter(dir string) error {
	if dir == "." {
		return nil
	}
	base := path.Base(dir)
	if dir == base {
		t.top = append(t.top, dir)
	}
	if base[0] == '.' || base == "testdata" || dir == "bin" || dir == "tools" {
		t.paths = append(t.paths, dir)
		return fs.SkipDir
	}
	return nil
}

func (t *tree) parse(root fs.FS, name string) error {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(t.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	t.sources = append(t.sources, &source{
		path: name, dir: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), text: string(text), file: file,
	})
	return nil
}

// resolve finds what each name means within its package. Nothing is imported:
// the checker complains about every package it cannot load and goes on, which
// is all the rules need and costs milliseconds.
func (t *tree) resolve() {
	packages := map[string][]*source{}
	for _, s := range t.sources {
		key := s.dir + " " + s.file.Name.Name
		packages[key] = append(packages[key], s)
	}
	lenient := types.Config{Error: func(error) {}, Importer: nothing{}}
	for _, sources := range packages {
		info := &types.Info{
			Types: map[ast.Expr]types.TypeAndValue{},
			Defs:  map[*ast.Ident]types.Object{},
			Uses:  map[*ast.Ident]types.Object{},
		}
		files := make([]*ast.File, len(sources))
		for i, s := range sources {
			files[i], s.info = s.file, info
		}
		// The error repeats what Error was told, and is as meaningless here.
		_, _ = lenient.Check(importPath(sources[0].dir), t.fset, files, info)
	}
}

// nothing is an importer of no package at all: it knows what a package is
// probably called, so that its name can be told from a variable's.
type nothing struct{}

func (nothing) Import(imported string) (*types.Package, error) {
	name := path.Base(imported)
	if majorVersion.MatchString(name) {
		name = path.Base(path.Dir(imported))
	}
	return types.NewPackage(imported, name), errNotLoaded
}

var (
	majorVersion = regexp.MustCompile(`^v[0-9]+$`)
	errNotLoaded = errors.New("not loaded")
)

func importPath(dir string) string { return path.Join(module, dir) }

// imported is the import path behind the package name that expr is, "" when
// expr is anything else.
func (s *source) imported(expr ast.Expr) string {
	ident, ok := expr.(*ast.Ident)
	if !ok {
		return ""
	}
	name, ok := s.info.Uses[ident].(*types.PkgName)
	if !ok {
		return ""
	}
	return name.Imported().Path()
}

// called is the import path and the name of the imported function that call
// calls, empty when it calls anything else.
func (s *source) called(call *ast.CallExpr) (pkg, name string) {
	fun := call.Fun
	if index, ok := fun.(*ast.IndexExpr); ok { // a type argument
		fun = index.X
	}
	sel, ok := fun.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	return s.imported(sel.X), sel.Sel.Name
}

// isPackageVar reports whether ident names a variable of its own package.
func (s *source) isPackageVar(ident *ast.Ident) bool {
	object, ok := s.info.Uses[ident].(*types.Var)
	return ok && object.Pkg() != nil && object.Parent() == object.Pkg().Scope()
}
