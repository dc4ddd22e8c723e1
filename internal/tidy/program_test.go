package tidy

import (
	"go/ast"
	"go/types"
)

// A program is every package of ours without its tests, resolved across
// packages: a method of envelope that cmd calls is the same object in both.
// Packages that are not ours stay unknown, and so do expressions whose type
// passes through one of them.
type program struct {
	packages map[string]*types.Package // by import path
	sources  map[string][]*source
	info     *types.Info
	tree     *tree
}

// program resolves the tree across packages.
func (t *tree) program() *program {
	p := &program{
		packages: map[string]*types.Package{},
		sources:  map[string][]*source{},
		info: &types.Info{
			Types:      map[ast.Expr]types.TypeAndValue{},
			Defs:       map[*ast.Ident]types.Object{},
			Uses:       map[*ast.Ident]types.Object{},
			Selections: map[*ast.SelectorExpr]*types.Selection{},
		},
		tree: t,
	}
	for _, s := range t.sources {
		if !s.test {
			p.sources[importPath(s.dir)] = append(p.sources[importPath(s.dir)], s)
		}
	}
	for path := range p.sources {
		_, _ = p.Import(path) // nothing of ours fails to load
	}
	return p
}

// Import resolves a package of ours and answers any other as nothing does.
func (p *program) Import(path string) (*types.Package, error) {
	if pkg, ok := p.packages[path]; ok {
		return pkg, nil
	}
	sources, ours := p.sources[path]
	if !ours {
		return nothing{}.Import(path)
	}
	syntax := make([]*ast.File, len(sources))
	for i, s := range sources {
		syntax[i] = s.file
	}
	lenient := types.Config{Error: func(error) {}, Importer: p}
	pkg, _ := lenient.Check(path, p.tree.fset, syntax, p.info)
	p.packages[path] = pkg
	return pkg, nil
}

// An export is one exported function, or an exported method of an exported type.
type export struct {
	object *types.Func
	source *source
	decl   *ast.FuncDecl
}

// exports are the exported functions and methods of the program, in path order.
func (p *program) exports() []export {
	var all []export
	for _, s := range p.tree.sources {
		for _, decl := range s.file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || s.test || !isExported(fn) {
				continue
			}
			if object, ok := p.info.Defs[fn.Name].(*types.Func); ok {
				all = append(all, export{object, s, fn})
			}
		}
	}
	return all
}

// uses are the functions that the program's code names, and the selectors that
// could not be resolved: such a name may be any method that is called so.
func (p *program) uses(counts func(*source) bool) (named map[*types.Func]bool, unresolved map[string]bool) {
	named, unresolved = map[*types.Func]bool{}, map[string]bool{}
	for _, s := range p.tree.sources {
		if s.test || !counts(s) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Ident:
				if fn, ok := p.info.Uses[n].(*types.Func); ok {
					named[fn.Origin()] = true
				}
			case *ast.SelectorExpr:
				if p.info.Uses[n.Sel] == nil {
					unresolved[n.Sel.Name] = true
				}
			}
			return true
		})
	}
	return named, unresolved
}

// interfaces are the interfaces that the program declares, named or in place.
func (p *program) interfaces() []*types.Interface {
	var all []*types.Interface
	for expr, tv := range p.info.Types {
		if _, ok := expr.(*ast.InterfaceType); !ok {
			continue
		}
		if i, ok := tv.Type.(*types.Interface); ok && i.NumMethods() > 0 {
			all = append(all, i)
		}
	}
	return all
}

// through are the methods that an interface of the program may call: those that
// a type has, of itself or by embedding, under the names of all the interface's
// methods. Names are compared, because a signature may name what stays unknown.
func (p *program) through() map[*types.Func]bool {
	reached := map[*types.Func]bool{}
	interfaces := p.interfaces()
	for _, object := range p.info.Defs {
		name, ok := object.(*types.TypeName)
		if !ok || types.IsInterface(name.Type()) {
			continue
		}
		set := types.NewMethodSet(types.NewPointer(name.Type()))
		for _, i := range interfaces {
			for _, method := range satisfied(set, i) {
				reached[method.Origin()] = true
			}
		}
	}
	return reached
}

// satisfied are the methods of set under the names that i has, none unless set
// has them all.
func satisfied(set *types.MethodSet, i *types.Interface) []*types.Func {
	var all []*types.Func
	for m := range i.Methods() {
		selection := set.Lookup(m.Pkg(), m.Name())
		if selection == nil {
			return nil
		}
		if method, ok := selection.Obj().(*types.Func); ok {
			all = append(all, method)
		}
	}
	return all
}
