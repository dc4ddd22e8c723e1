package tidy

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unlinked are the packages that must not be in hongbaod, however deep down.
// A check of direct imports does not see the package in between.
var unlinked = []struct{ dir, why string }{
	{"internal/cluster", "what starts and kills databases is in hongbaoctl only (FH12)"},
	{"internal/drill", "the production binary has no drill code (FH12)"},
	{"internal/faultproxy", "what loses statements on purpose is for tests and drills"},
	{"internal/settest", "the harness ends the process it runs in when a test cannot go on"},
	{"internal/payment/simulator", "a provider that pays on request must not be reachable from a server that pays people"},
	{"internal/webhook/receiver", "the sender of notifications must not be able to play their receiver"},
}

func TestHongbaodLinksNoTestTooling(t *testing.T) {
	const root = "../.."
	if _, err := os.Stat(filepath.Join(root, "cmd/hongbaod")); err != nil {
		t.Fatal(err)
	}
	for _, what := range badlyLinked(linked(t, root)) {
		t.Error("hongbaod links " + what)
	}
}

func TestIndirectlyLinkedPackageIsCaught(t *testing.T) {
	root := t.TempDir()
	content := files{
		"go.mod":                      "module hongbao\n\ngo 1.26\n",
		"cmd/hongbaod/main.go":        "package main\n\nimport _ \"hongbao/internal/console\"\n\nfunc main() {}\n",
		"internal/console/console.go": "package console\n\nimport _ \"hongbao/internal/drill\"\n",
		"internal/drill/a.go":         "package drill\n\nimport _ \"hongbao/internal/cluster/fence\"\n",
		"internal/cluster/fence/a.go": "package fence\n",
		"internal/settest/a.go":       "package settest\n",
	}
	for name, text := range content {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found := badlyLinked(linked(t, root))
	want := []string{"hongbao/internal/cluster/fence", "hongbao/internal/drill"}
	if len(found) != len(want) {
		t.Fatalf("found %q, want %q", found, want)
	}
	for i, pkg := range want {
		if !strings.HasPrefix(found[i], pkg+": ") {
			t.Errorf("found %q, want %s with a reason", found[i], pkg)
		}
	}
}

func TestSimilarPackageNameIsNotCaught(t *testing.T) {
	if found := badlyLinked([]string{"hongbao/internal/drills", "hongbao/internal/payment", "example.com/internal/drill"}); found != nil {
		t.Errorf("found %q, want nothing", found)
	}
}

// linked lists the import paths of all packages in the hongbaod of the module at root.
func linked(t *testing.T, root string) []string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", "nomsgpack", "./cmd/hongbaod")
	list.Dir = root
	var stderr strings.Builder
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", list, err, stderr.String())
	}
	return strings.Fields(string(out))
}

// badlyLinked lists the packages that are not to be linked, each with the reason.
func badlyLinked(packages []string) []string {
	var found []string
	for _, pkg := range packages {
		i := slices.IndexFunc(unlinked, func(u struct{ dir, why string }) bool {
			return pkg == importPath(u.dir) || strings.HasPrefix(pkg, importPath(u.dir)+"/")
		})
		if i >= 0 {
			found = append(found, pkg+": "+unlinked[i].why)
		}
	}
	return found
}
