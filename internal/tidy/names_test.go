package tidy

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// guides are the texts whose names must exist: a reader follows them. The change
// log is none of them, because it names what is gone.
func isGuide(name string) bool {
	return name == "README.md" || name == "DESIGN.md" || path.Dir(name) == "docs" && strings.HasSuffix(name, ".md")
}

var (
	// inBackticks is text in a guide that is meant literally.
	inBackticks = regexp.MustCompile("`([^`\n]+)`")
	// pathNamed is a file or a directory of ours.
	pathNamed = regexp.MustCompile(`^(?:envelope|orderset|queue|schema|reconcile|loadtest|cmd|internal|docs)(?:/[A-Za-z0-9_.-]+)*/?$`)
	// metricNamed is the name of a metric, "…" and braces apart.
	metricNamed = regexp.MustCompile(`^hongbao_[a-z0-9_]+[a-z0-9]$`)
	// verbNamed is a command of one of our programs.
	verbNamed = regexp.MustCompile(`\bhongbao(?:d|ctl)(?: --config [^\s"]+)? ([a-z]+)\b`)
	// linked is a file that a guide links to.
	linkedFile = regexp.MustCompile(`\]\(([A-Za-z0-9_./-]+)(?:#[^)]*)?\)`)
)

func nameRules() []rule {
	lane := files{"queue/lane.go": "package queue\n\n// It is hongbao_lane_waiting.\ntype enterCmd struct{}\n"}
	with := func(text string) files { return files{"README.md": text, "queue/lane.go": lane["queue/lane.go"]} }
	return []rule{{
		name:  "What a guide names exists",
		why:   "a reader looks for it: correct the name, or take it out",
		check: checkNames,
		caught: []files{
			with("It is in `queue/gate.go`."), with("It is in `internal/queue`."), with("See [rules](docs/rules.md)."),
			with("Watch `hongbao_lane_lost`."), with("Type `hongbaoctl leave`."), with("    bin/hongbaod leave --now\n"),
		},
		passed: []files{
			with("It is in `queue/lane.go`, that is in `queue/`; see [it](queue/lane.go) and [others](https://example.com/a)."),
			with("Watch `hongbao_lane_waiting`."), with("Type `hongbaoctl enter`."), with("Not `example/queue` and not /v1/queue."),
			{"CHANGELOG.md": "`queue/gate.go` is gone."},
		},
	}}
}

func checkNames(t *tree) (found []finding) {
	var code strings.Builder
	for _, s := range t.sources {
		code.WriteString(s.text)
	}
	all := code.String()
	for _, g := range t.guides {
		for i, line := range strings.Split(g.text, "\n") {
			for _, what := range t.missing(line, path.Dir(g.path), all) {
				found = append(found, finding{fmt.Sprintf("%s:%d", g.path, i+1), what + " does not exist"})
			}
		}
	}
	return found
}

// missing are the names in a line of a guide in dir that are not in the tree.
func (t *tree) missing(line, dir, code string) (missing []string) {
	for _, m := range inBackticks.FindAllStringSubmatch(line, -1) {
		name := strings.TrimSuffix(m[1], "/")
		switch {
		case pathNamed.MatchString(m[1]) && !t.has(name):
			missing = append(missing, m[1])
		case metricNamed.MatchString(m[1]) && !t.metric(m[1], code):
			missing = append(missing, m[1])
		}
	}
	for _, m := range linkedFile.FindAllStringSubmatch(line, -1) {
		if name := path.Join(dir, m[1]); !t.has(name) {
			missing = append(missing, name)
		}
	}
	for _, m := range verbNamed.FindAllStringSubmatch(line, -1) {
		if strings.Contains(line, "bin/hongbao") || strings.Contains(line, "`hongbao") {
			if !strings.Contains(strings.ToLower(code), "type "+m[1]+"cmd ") && !strings.Contains(code, `cmd:"`+m[1]) {
				missing = append(missing, m[0])
			}
		}
	}
	return missing
}

// has reports whether a file or directory is in the tree.
func (t *tree) has(name string) bool {
	return slices.ContainsFunc(t.paths, func(p string) bool { return p == name || strings.HasPrefix(p, name+"/") })
}

// metric reports whether code makes a metric of that name: whole, or without the
// prefix or the last word, which some are put together from.
func (t *tree) metric(name, code string) bool {
	short := strings.TrimPrefix(name, "hongbao_")
	return strings.Contains(code, name) || strings.Contains(code, `"`+short+`"`) || slices.ContainsFunc(
		strings.Split(short, "_"), func(word string) bool {
			_, after, _ := strings.Cut(short, word+"_")
			return after != "" && strings.Contains(code, `"`+after+`"`)
		})
}
