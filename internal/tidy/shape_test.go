package tidy

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
)

// Sizes in lines. A test may be longer: its table is part of it.
const (
	funcLinesMax     = 70
	testFuncLinesMax = 120
	fileLinesMax     = 500
	testFileLinesMax = 700
)

// drawers are names of places to put things, not of things.
var drawers = strings.Fields(`base common config handler handlers helper helpers manager managers
	middleware misc model models service services shared types util utils`)

// topLevel is the plan: ideas, then how the world plugs into them, then what
// tools and builds leave there.
var topLevel = strings.Fields(`envelope orderset queue reconcile schema loadtest
	cmd internal deploy docs
	tools bin .ci .git .hongbao .idea .vscode`)

func shapeRules() []rule {
	const head = "// Package queue waits.\npackage queue\n"
	return []rule{
		{
			name:  "A function fits on a screen",
			why:   "a function that does not fit is two functions",
			check: each(checkFuncLines),
			caught: []files{
				{"queue/a.go": head + function(funcLinesMax+1)},
				{"queue/a_test.go": head + function(testFuncLinesMax+1)},
				{"queue/a.go": head + strings.Replace(function(funcLinesMax+1), "func f", "func (T) f", 1)},
			},
			passed: []files{
				{"queue/a.go": head + function(funcLinesMax)},
				{"queue/a_test.go": head + function(testFuncLinesMax)},
			},
		},
		{
			name:  "A file has one subject and ends",
			why:   "a long file has two subjects, and the second one cannot be found by its name",
			check: each(checkFileLines),
			caught: []files{
				{"queue/a.go": "package queue\n" + strings.Repeat("\n", fileLinesMax)},
				{"queue/a_test.go": "package queue\n" + strings.Repeat("\n", testFileLinesMax)},
			},
			passed: []files{
				{"queue/a.go": "package queue\n" + strings.Repeat("\n", fileLinesMax-1)},
				{"queue/a_test.go": "package queue\n" + strings.Repeat("\n", testFileLinesMax-1)},
			},
		},
		{
			name:  "A package is named after a thing",
			why:   "everything fits into a drawer, so nothing is found in it again",
			check: each(checkName),
			caught: []files{
				{"internal/util/a.go": "package util"},
				{"internal/money/a.go": "package helpers"},
				{"queue/a_test.go": "package common_test"},
			},
			passed: []files{{"queue/a.go": "package queue"}, {"queue/a_test.go": "package queue_test"}},
		},
		{
			name:  "A package introduces itself",
			why:   "the package comment says what is guaranteed and what is not",
			check: checkIntroduced,
			caught: []files{
				{"queue/a.go": "package queue"},
				{"queue/a.go": "package queue", "queue/a_test.go": "// Package queue is tested.\npackage queue"},
				{"queue/a.go": "// Copyright\n\npackage queue"},
			},
			passed: []files{
				{"queue/a.go": "package queue", "queue/doc.go": head},
				{"queue/a.go": head, "queue/a_test.go": "package queue_test"},
			},
		},
		{
			name:   "The top level is fixed",
			why:    "the top-level directories are the ideas of the business; anything else goes below internal, deploy or docs",
			check:  checkTopLevel,
			caught: []files{{"pkg/a.go": "package pkg"}, {"guide/start.md": ""}, {".github/workflow": ""}},
			passed: []files{{"queue/a.go": "package queue", ".ci/run": "", "go.mod": "", "bin/hongbaod": ""}},
		},
	}
}

// function is the source of a function of that many lines.
func function(lines int) string {
	return "func f() {\n" + strings.Repeat("\tg()\n", lines-2) + "}\n"
}

func checkFuncLines(t *tree, s *source) []finding {
	most := funcLinesMax
	if s.test {
		most = testFuncLinesMax
	}
	var found []finding
	for _, decl := range s.file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		lines := t.fset.Position(fn.End()).Line - t.fset.Position(fn.Pos()).Line + 1
		if lines > most {
			found = append(found, t.at(fn.Pos(), "%s is %d lines long, want at most %d", fn.Name.Name, lines, most))
		}
	}
	return found
}

func checkFileLines(_ *tree, s *source) []finding {
	most := fileLinesMax
	if s.test {
		most = testFileLinesMax
	}
	if lines := strings.Count(s.text, "\n"); lines > most {
		return []finding{{s.path, fmt.Sprintf("%d lines, want at most %d", lines, most)}}
	}
	return nil
}

func checkName(t *tree, s *source) []finding {
	name := strings.TrimSuffix(s.file.Name.Name, "_test")
	if !slices.Contains(drawers, name) {
		return nil
	}
	return []finding{t.at(s.file.Package, "package %s names a drawer: name it after what is in it", name)}
}

func checkIntroduced(t *tree) []finding {
	introduced := map[string]bool{}
	for _, s := range t.sources {
		if !s.test {
			introduced[s.dir] = introduced[s.dir] || s.file.Doc != nil
		}
	}
	var found []finding
	for dir, ok := range introduced {
		if !ok {
			found = append(found, finding{dir, "no package comment: write a doc.go"})
		}
	}
	return found
}

func checkTopLevel(t *tree) []finding {
	var found []finding
	for _, dir := range t.top {
		if !slices.Contains(topLevel, dir) {
			found = append(found, finding{dir, "is not in the plan"})
		}
	}
	return found
}
