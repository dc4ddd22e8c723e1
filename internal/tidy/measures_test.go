package tidy

import (
	"cmp"
	"fmt"
	"go/ast"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// persons are words that comments keep for people: a payer, an opener, an
// operator.
var persons = regexp.MustCompile(`(?i)\b(?:who|whoever|nobody|somebody)\b`)

// personsMax bounds the comment lines with such a word, per 1,000.
const personsMax = 8

func wordRules() []rule {
	const lines = "// It waits.\n"
	return []rule{{
		name:   "Comments keep who and nobody for people",
		why:    "the subject of a sentence about code is the code: a reader can search for it, and not for who",
		check:  checkWords,
		caught: []files{{"queue/a.go": "package queue\n\n// Whoever waits.\n" + strings.Repeat(lines, 100)}},
		passed: []files{
			{"queue/a.go": "package queue\n\n// An opener who waits.\n" + strings.Repeat(lines, 1000/personsMax)},
			{"queue/a.go": "package queue\n\nconst who = \"nobody\"\n\n" + lines},
		},
	}}
}

func checkWords(t *tree) []finding {
	var all wordy
	for _, s := range t.sources {
		w := s.words()
		all.comments, all.hits = all.comments+w.comments, all.hits+w.hits
	}
	if all.hits*1000 <= personsMax*all.comments {
		return nil
	}
	return []finding{{".", fmt.Sprintf("%d of %d comment lines have one, want at most %d per 1,000: go test ./internal/tidy -run Measures -v names the files",
		all.hits, all.comments, personsMax)}}
}

// TestMeasures prints what the tree comes to: go test ./internal/tidy -run Measures -v
func TestMeasures(t *testing.T) {
	house, err := read(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	var files, lines, names []int
	for _, s := range house.sizes() {
		files, lines, names = append(files, s.files), append(lines, s.lines), append(names, s.names)
	}
	t.Logf("packages: %d", len(files))
	t.Logf("files a package, mean: %.1f", mean(files))
	t.Logf("lines a package, mean / median: %.0f / %d", mean(lines), quantile(lines, 50))
	t.Logf("exported names a package, median: %d", quantile(names, 50))
	var comments, hits int
	var most []wordy
	for _, s := range house.sources {
		w := s.words()
		comments, hits, most = comments+w.comments, hits+w.hits, append(most, w)
	}
	t.Logf("comment lines with who, whoever, nobody or somebody: %d of %d, %.1f per 1,000", hits, comments, 1000*float64(hits)/float64(comments))
	slices.SortStableFunc(most, func(a, b wordy) int { return cmp.Compare(b.hits, a.hits) })
	for _, w := range most[:min(10, len(most))] {
		if w.hits > 0 {
			t.Logf("\t%s: %d of %d", w.path, w.hits, w.comments)
		}
	}
	length := house.testNameLengths()
	t.Logf("test name length, p90: %d of %d tests", quantile(length, 90), len(length))
}

// wordy is a file's comment lines and how many of them have a word for persons.
type wordy struct {
	path           string
	comments, hits int
}

func (s *source) words() wordy {
	w := wordy{path: s.path}
	for _, group := range s.file.Comments {
		for _, comment := range group.List {
			for line := range strings.Lines(comment.Text) {
				if strings.HasPrefix(line, "//go:") {
					continue
				}
				w.comments++
				if persons.MatchString(line) {
					w.hits++
				}
			}
		}
	}
	return w
}

// testNameLengths are the lengths of the names of test functions.
func (t *tree) testNameLengths() []int {
	var all []int
	for _, s := range t.sources {
		for _, decl := range s.file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && s.test && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") && fn.Name.Name != "TestMain" {
				all = append(all, len(fn.Name.Name))
			}
		}
	}
	return all
}

func mean(values []int) float64 {
	sum := 0
	for _, v := range values {
		sum += v
	}
	return float64(sum) / float64(len(values))
}

// quantile is the value that percent of values do not exceed.
func quantile(values []int, percent int) int {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)*percent/100, len(sorted)-1)]
}
