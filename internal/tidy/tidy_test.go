package tidy

import (
	"os"
	"slices"
	"testing"
	"testing/fstest"
)

// A rule is one habit of the house, the reason for it and the proof that its
// check can see.
type rule struct {
	name   string // the habit, as a sentence
	why    string // printed with every finding
	check  func(*tree) []finding
	caught []files // each of these must be reported
	passed []files // none of these may be
}

// files is a small tree: path → content.
type files map[string]string

func rules() []rule {
	return slices.Concat(importRules(), shapeRules(), stateRules(), textRules(), failureRules(),
		packageRules(), callerRules(), moduleRules(), nameRules(), wordRules(), kitRules())
}

func TestTheTreeKeepsTheHouseRules(t *testing.T) {
	house, err := read(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if len(house.sources) == 0 {
		t.Fatal("no Go file found below ../..")
	}
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			for _, f := range r.check(house) {
				t.Errorf("%s: %s\n\twhy: %s", f.at, f.what, r.why)
			}
		})
	}
}

func TestEveryHouseRuleCatchesWhatBreaksIt(t *testing.T) {
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			if len(r.caught) == 0 || len(r.passed) == 0 {
				t.Fatal("a rule needs a tree that it catches and a near miss that it passes")
			}
			for _, control := range r.caught {
				if len(r.check(small(t, control))) == 0 {
					t.Errorf("not caught:\n%v", control)
				}
			}
			for _, control := range r.passed {
				for _, f := range r.check(small(t, control)) {
					t.Errorf("%s: %s\n\tcaught, though nothing is wrong with it", f.at, f.what)
				}
			}
		})
	}
}

func small(t *testing.T, content files) *tree {
	t.Helper()
	root := fstest.MapFS{}
	for name, text := range content {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	read, err := read(root)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// each makes a check of whole trees out of a check of one Go file.
func each(check func(*tree, *source) []finding) func(*tree) []finding {
	return func(t *tree) []finding {
		var found []finding
		for _, s := range t.sources {
			found = append(found, check(t, s)...)
		}
		return found
	}
}
