package tidy

import (
	"regexp"
	"strings"
)

// required is one requirement of go.mod; the comment says that no package of
// ours imports it.
var required = regexp.MustCompile(`(?m)^(?:require |\t)(\S+) v[0-9]\S*( // indirect)?$`)

func moduleRules() []rule {
	const mod = "module hongbao\n\ngo 1.26\n\nrequire (\n\texample.com/lanes v1.0.0\n)\n\nrequire example.com/gates/v2 v2.0.0 // indirect\n"
	const imports = "package queue\nimport _ \"example.com/lanes/wide\"\n"
	return []rule{{
		name: "go.mod requires what is imported",
		why: "a requirement without an import is downloaded for nothing, and an import of an indirect one breaks when its " +
			"requirer goes: run go mod tidy (make lint compares all of go.mod and tools/go.mod, which needs the network)",
		check: checkModule,
		caught: []files{
			{"go.mod": mod, "queue/a.go": "package queue"},
			{"go.mod": mod, "queue/a.go": imports + "import _ \"example.com/gates/v2\"\n"},
			{"go.mod": mod, "queue/a.go": imports + "import _ \"example.com/unheard\"\n"},
			{"go.mod": mod, "queue/a.go": imports, "queue/a_test.go": "package queue\nimport _ \"example.com/gates/v2/left\"\n"},
		},
		passed: []files{
			{"go.mod": mod, "queue/a.go": imports + "import _ \"net/http\"\nimport _ \"hongbao/envelope\"\n"},
			{"go.mod": mod, "queue/a_test.go": imports},
		},
	}}
}

func checkModule(t *tree) []finding {
	if t.goMod == "" {
		return nil
	}
	direct := map[string]bool{} // by module: whether go.mod says that we import it
	for _, m := range required.FindAllStringSubmatch(t.goMod, -1) {
		direct[m[1]] = m[2] == ""
	}
	var found []finding
	used := map[string]bool{}
	for _, s := range t.sources {
		for _, spec := range s.file.Imports {
			path := unquoted(spec.Path)
			if first, _, _ := strings.Cut(path, "/"); first == module || !strings.Contains(first, ".") {
				continue
			}
			from := provider(direct, path)
			used[from] = true
			if !direct[from] {
				found = append(found, t.at(spec.Pos(), "go.mod does not require the module of %s directly", path))
			}
		}
	}
	for name, imported := range direct {
		if imported && !used[name] {
			found = append(found, finding{"go.mod", "requires " + name + ", which nothing imports"})
		}
	}
	return found
}

// provider is the required module that has the package at path, "" for none.
func provider(modules map[string]bool, path string) string {
	longest := ""
	for name := range modules {
		if (path == name || strings.HasPrefix(path, name+"/")) && len(name) > len(longest) {
			longest = name
		}
	}
	return longest
}
