package tidy

import (
	"go/ast"
	"go/constant"
	"go/token"
	"regexp"
	"slices"
	"strings"
)

// The regular expressions that tell SQL and its traps from other text.
var (
	sqlStart = regexp.MustCompile(`^\s*(?:(?:SELECT|UPDATE|TRUNCATE)\s|(?i:` +
		`insert\s+into|replace\s+into|delete\s+from|update\s+\S+\s+set|select\s.*\sfrom|` +
		`(?:create|alter|drop)\s+(?:or\s+replace\s+|temporary\s+|unique\s+)*(?:table|database|schema|index|view|trigger|user|role))\b)`)
	sqlIgnore  = regexp.MustCompile(`(?i)\b(?:insert|update)\s+ignore\b`)
	sqlComment = regexp.MustCompile(`(?m)--.*$`)
	unfinished = regexp.MustCompile(`\b(?:TODO|FIXME|XXX)\b`)
)

// builders are the places that may make a statement out of parts, as a path or
// the directory it begins with.
var builders = []string{
	"orderset/statements.go",        // names day tables after validated digits
	"orderset/layout/",              // the same, for all packages of a SET
	"orderset/audit/statements.go",  // the same
	"orderset/owed/statements.go",   // the same
	"internal/fill/statements.go",   // repeats placeholders, row by row
	"internal/books/statements.go",  // the same
	"schema/",                       // renders DDL and grants from validated digits
	"internal/cluster/bootstrap.go", // feeds a server that has no connection yet, and so no placeholders
}

func textRules() []rule {
	return []rule{
		{
			name: "SQL is built in one place",
			why: "a table name comes from validated digits through one function (FH4): write a constant statement with " +
				"placeholders, or add the statement to orderset/statements.go or schema",
			check:  each(checkStatements),
			caught: statementsCaught(),
			passed: statementsPassed(),
		},
		{
			name:  "No statement ignores what it violates",
			why:   "IGNORE turns a violated CHECK or unique key, which are I1 and I2, into a warning that is not read",
			check: checkIgnore,
			caught: []files{
				{"orderset/a.go": "package orderset\nconst q = `INSERT IGNORE INTO share VALUES (?)`"},
				{"schema/a_test.go": "package schema\nconst q = \"update  ignore share SET seq = ?\""},
				{"schema/day.sql": "INSERT\nIGNORE INTO lease VALUES (1);"},
			},
			passed: []files{
				{"orderset/a.go": "package orderset\n\n// Never INSERT IGNORE here.\nconst q = `INSERT INTO share VALUES (?)`"},
				{"schema/day.sql": "-- INSERT IGNORE would hide it\nINSERT INTO lease VALUES (1);"},
			},
		},
		{
			name:  "No test is skipped",
			why:   "a suite that skips silently is green where nothing ran: find or start what the test needs",
			check: each(checkSkip),
			caught: []files{
				{"queue/a_test.go": "package queue\nimport \"testing\"\nfunc TestA(t *testing.T) { t.Skip() }"},
				{"queue/a_test.go": "package queue\nimport \"testing\"\nfunc BenchmarkA(b *testing.B) { b.Skipf(\"no %d\", 1) }"},
				{"queue/a_test.go": "package queue\nimport \"testing\"\nfunc TestA(t *testing.T) { if testing.Short() { return } }"},
				{"internal/settest/a.go": "package settest\nimport \"testing\"\nfunc Start(t testing.TB) { t.SkipNow() }"},
			},
			passed: []files{
				{"queue/a_test.go": "package queue\nimport \"testing\"\nfunc TestA(t *testing.T) { t.Run(\"b\", func(*testing.T) {}) }"},
				{"queue/a_test.go": "package queue\nimport \"hongbao/lex\"\nvar _ = lex.Skip(1)"},
				{"queue/a.go": "package queue\ntype lexer struct{}\nfunc (lexer) Skip() {}\nfunc f(l lexer) { l.Skip() }"},
			},
		},
		{
			name:  "Nothing is left for later",
			why:   "what is not done is not promised: finish it, or say in the docs that it is not there",
			check: each(checkFinished),
			caught: []files{
				{"queue/a.go": "package queue\n\n// TODO: bound it."},
				{"queue/a.go": "package queue\n\nvar x = 1 /* FIXME */"},
				{"queue/a.go": "package queue\n\nconst hint = \"XXX\""},
			},
			passed: []files{{"queue/a.go": "package queue\n\n// todos are a list.\nconst mask = \"XXXX\""}},
		},
	}
}

func statementsCaught() []files {
	var trees []files
	for _, body := range []string{
		"fmt.Sprintf(\"SELECT id FROM envelope_%d\", n)",
		"fmt.Sprintf(`\n\tinsert into share_%d VALUES (?)`, n)",
		"fmt.Sprintf(create, n)",
		"fmt.Appendf(nil, \"DELETE FROM t_%d\", n)",
		"\"DELETE FROM \" + name",
		"\"UPDATE \" + name + \" SET a = 1\"",
		"explain + \"SELECT id FROM t WHERE a = \" + name",
		"strings.ReplaceAll(\"SELECT id FROM {t}\", \"{t}\", name)",
		"b.WriteString(\"INSERT INTO share VALUES \")",
		"append([]byte(nil), \"INSERT INTO share VALUES \"...)",
	} {
		trees = append(trees, files{"internal/books/a.go": statement(body)})
	}
	return append(trees, files{"orderset/read.go": statement("fmt.Sprintf(\"SELECT id FROM envelope_%d\", n)")})
}

func statementsPassed() []files {
	trees := []files{
		{"orderset/statements.go": statement("fmt.Sprintf(\"SELECT id FROM envelope_%d\", n)")},
		{"schema/day.go": statement("\"CREATE TABLE \" + name")},
		{"internal/books/a_test.go": statement("fmt.Sprintf(\"SELECT COUNT(*) FROM %s\", name)")},
	}
	for _, body := range []string{
		"\"SELECT id, \" +\n\"total FROM book WHERE user = ?\"",
		"\"SELECT id, \" + columns + \" FROM book WHERE user = ?\"",
		"func() string { const all = \"SELECT \" + strings.Columns + \" FROM book\"; return all }()",
		"fmt.Errorf(\"SELECT from %s: %w\", name, err)",
		"fmt.Sprintf(\"selected %d\", n)",
		"fmt.Sprintf(\"DELETE %s\", path)",
		"db.Query(\"SELECT id FROM book WHERE user = ?\", n)",
	} {
		trees = append(trees, files{"internal/books/a.go": statement(body)})
	}
	return trees
}

// statement is a file whose one function evaluates body.
func statement(body string) string {
	return "package p\nimport (\n\"fmt\"\n\"strings\"\n)\n" +
		"const create = \"CREATE TABLE t_%d (a INT)\"\nconst columns = \"total, taken\"\n" +
		"func f(n int, name string) { _ = " + body + " }"
}

// checkStatements reports statements that are put together from parts: a
// constant that starts like SQL, formatted, added to something that is not
// constant, or handed to what glues text.
func checkStatements(t *tree, s *source) []finding {
	if s.test || slices.ContainsFunc(builders, func(b string) bool { return strings.HasPrefix(s.path, b) }) {
		return nil
	}
	var found []finding
	ast.Inspect(s.file, func(n ast.Node) bool {
		if decl, ok := n.(*ast.GenDecl); ok && decl.Tok == token.CONST {
			return false // its parts are constants, those of other packages too
		}
		for _, part := range s.glued(n) {
			if text, ok := s.constant(part); ok && sqlStart.MatchString(text) {
				found = append(found, t.at(part.Pos(), "a statement is built from parts: %.40q", strings.TrimSpace(text)))
			}
		}
		return true
	})
	return found
}

// glued lists the operands of n when n makes one text out of several that are
// not all constant.
func (s *source) glued(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		if _, ok := s.constant(n); n.Op == token.ADD && !ok {
			return []ast.Expr{n.X, n.Y}
		}
	case *ast.CallExpr:
		pkg, name := s.called(n)
		if fun, ok := n.Fun.(*ast.Ident); ok {
			name = fun.Name
		}
		switch {
		case pkg == "fmt" && slices.Contains([]string{"Sprintf", "Appendf", "Fprintf", "Sprint", "Append", "Fprint"}, name),
			slices.Contains([]string{"append", "AppendString", "WriteString", "Replace", "ReplaceAll"}, name):
			return n.Args
		}
	}
	return nil
}

// constant is the value of expr if it is a string known without running
// anything. Constants of other packages are not known here.
func (s *source) constant(expr ast.Expr) (string, bool) {
	if literal, ok := expr.(*ast.BasicLit); ok && literal.Kind == token.STRING {
		return unquoted(literal), true
	}
	if sum, ok := expr.(*ast.BinaryExpr); ok && sum.Op == token.ADD {
		left, known := s.constant(sum.X)
		right, both := s.constant(sum.Y)
		return left + right, known && both
	}
	if value := s.info.Types[expr].Value; value != nil && value.Kind() == constant.String {
		return constant.StringVal(value), true
	}
	return "", false
}

func checkIgnore(t *tree) []finding {
	const what = "INSERT IGNORE: let it fail and ask which rule it broke"
	found := each(func(t *tree, s *source) []finding {
		return s.literals(t, sqlIgnore, what)
	})(t)
	for _, script := range t.scripts {
		if sqlIgnore.MatchString(sqlComment.ReplaceAllString(script.text, "")) {
			found = append(found, finding{script.path, what})
		}
	}
	return found
}

func checkSkip(t *tree, s *source) []finding {
	if !s.test && s.dir != "internal/settest" {
		return nil
	}
	var found []finding
	ast.Inspect(s.file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		skips := slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) && s.imported(sel.X) == ""
		if skips || s.imported(sel.X) == "testing" && sel.Sel.Name == "Short" {
			found = append(found, t.at(call.Pos(), "%s leaves the test without a verdict", sel.Sel.Name))
		}
		return true
	})
	return found
}

func checkFinished(t *tree, s *source) []finding {
	const what = "something is left for later"
	found := s.literals(t, unfinished, what)
	for _, group := range s.file.Comments {
		for _, comment := range group.List {
			if s.dir != rulebook && unfinished.MatchString(comment.Text) {
				found = append(found, t.at(comment.Pos(), "%s", what))
			}
		}
	}
	return found
}

// literals reports every string literal that pattern matches. The rule book
// itself is passed by: it quotes what it forbids.
func (s *source) literals(t *tree, pattern *regexp.Regexp, what string) []finding {
	if s.dir == rulebook {
		return nil
	}
	var found []finding
	ast.Inspect(s.file, func(n ast.Node) bool {
		literal, ok := n.(*ast.BasicLit)
		if ok && literal.Kind == token.STRING && pattern.MatchString(unquoted(literal)) {
			found = append(found, t.at(literal.Pos(), "%s", what))
		}
		return true
	})
	return found
}
