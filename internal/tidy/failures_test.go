package tidy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// catalogue is the page of everything that can go wrong. Its rows are lines of
// tables, FA1 to FH18, and sections, FS1 and so on.
const catalogue = "docs/failures.md"

var (
	rowOfTable   = regexp.MustCompile(`^\| (F[A-H][1-9][0-9]?) \|.*\| ([^|]*) \|$`)
	rowOfSection = regexp.MustCompile(`^### (FS[1-9][0-9]?) `)
	testNamed    = regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w*`)
	// rowNamed is a row in a text or at the start of a test's name, where several
	// follow each other. A code point is none.
	rowNamed = regexp.MustCompile(`(?:^|[^0-9A-Za-z_+%]|\bTest)((?:F[A-HS][1-9][0-9]?)+)(?:[^0-9A-Za-z_]|$|[A-Z])`)
	oneRow   = regexp.MustCompile(`F[A-HS][1-9][0-9]?`)
)

// noTest begins the reason of a row that has none.
const noTest = "none yet"

// rowsOf are the rows of the catalogue with what is said of their tests.
func (t *tree) rowsOf() map[string]string {
	rows, section := map[string]string{}, ""
	for line := range strings.Lines(t.failures) {
		line = strings.TrimSpace(line)
		if m := rowOfTable.FindStringSubmatch(line); m != nil {
			rows[m[1]] = m[2]
		}
		if m := rowOfSection.FindStringSubmatch(line); m != nil {
			section = m[1]
			rows[section] = ""
		} else if strings.HasPrefix(line, "#") {
			section = ""
		} else if section != "" {
			rows[section] += line + "\n"
		}
	}
	return rows
}

func failureRules() []rule {
	const table, section = "| FA1 | fails | happens | %s |\n", "## FS\n\n### FS1 A fault\n\n%s\n"
	test := files{"queue/a_test.go": "package queue\nimport \"testing\"\nfunc TestFA1Fails(*testing.T) {}"}
	with := func(f files, name, text string) files {
		all := files{name: text}
		for name, text := range f {
			all[name] = text
		}
		return all
	}
	return []rule{
		{
			name:  "Every row that is named stands in the catalogue of failures",
			why:   "a name that leads nowhere explains nothing: give the row in " + catalogue + " or another name",
			check: checkRowsNamed,
			caught: []files{
				with(test, catalogue, "| FA2 | a | b | TestFA1Fails |"),
				{"queue/a.go": "package queue\n\n// It is lost (FC99).", catalogue: ""},
				{"queue/a.go": "package queue\n\n// FS1 and FS41.", catalogue: fmt.Sprintf(section, noTest)},
				{"schema/a.sql": "-- ids commit out of order (FG10).", catalogue: ""},
			},
			passed: []files{
				with(test, catalogue, fmt.Sprintf(table, "TestFA1Fails (queue)")),
				{"queue/a.go": "package queue\n\n// U+FE0F, 0xFF10 and %FF1 are no rows, and neither is FF100 or XFA1.", catalogue: ""},
			},
		},
		{
			name:  "Every row of the catalogue of failures has a test that exists, or a reason",
			why:   "a failure that is written down and not tested is a promise that nothing holds",
			check: checkRowsTested,
			caught: []files{
				with(test, catalogue, fmt.Sprintf(table, "TestFA2Fails (queue)")),
				with(test, catalogue, fmt.Sprintf(table, "–")),
				with(test, catalogue, fmt.Sprintf(table, noTest)),
				with(test, catalogue, fmt.Sprintf(section, "It fails.")),
				with(test, catalogue, fmt.Sprintf(section, "It fails.\n\nTests: TestGone (queue)")),
			},
			passed: []files{
				with(test, catalogue, fmt.Sprintf(table, "TestFA1Fails (queue)")),
				with(test, catalogue, fmt.Sprintf(table, noTest+": there are no replicas")),
				with(test, catalogue, fmt.Sprintf(section, "It fails.\n\nTests: TestFA1Fails (queue)")),
			},
		},
	}
}

func checkRowsNamed(t *tree) (found []finding) {
	rows := t.rowsOf()
	look := func(path, text string) {
		if strings.HasPrefix(path, rulebook+"/") {
			return
		}
		for i, line := range strings.Split(text, "\n") {
			for _, named := range rowNamed.FindAllStringSubmatch(line, -1) {
				for _, row := range oneRow.FindAllString(named[1], -1) {
					if _, ok := rows[row]; !ok {
						found = append(found, finding{fmt.Sprintf("%s:%d", path, i+1), row + " is no row of " + catalogue})
					}
				}
			}
		}
	}
	for _, s := range t.sources {
		look(s.path, s.text)
	}
	for _, s := range t.scripts {
		look(s.path, s.text)
	}
	return found
}

func checkRowsTested(t *tree) (found []finding) {
	tests := map[string]bool{}
	for _, s := range t.sources {
		if s.test {
			for _, name := range testNamed.FindAllString(s.text, -1) {
				tests[name] = tests[name] || strings.Contains(s.text, "func "+name+"(")
			}
		}
	}
	for row, text := range t.rowsOf() {
		named := testNamed.FindAllString(text, -1)
		_, reason, given := strings.Cut(text, noTest+": ")
		if len(named) == 0 && (!given || strings.TrimSpace(reason) == "") {
			found = append(found, finding{catalogue, row + " has neither a test nor a reason (" + noTest + ": …)"})
		}
		for _, name := range named {
			if !tests[name] {
				found = append(found, finding{catalogue, row + " names " + name + ", which does not exist"})
			}
		}
	}
	slices.SortFunc(found, func(a, b finding) int { return strings.Compare(a.what, b.what) })
	return found
}
