package tidy

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strings"
)

// kit is the one package that begins, ends and abandons transactions and walks rows.
const kit = "internal/mariadb"

// harness holds a production server apart and looks at it with SQL of its own.
const harness = "internal/settest"

// transactionText is a statement that begins or ends a transaction.
var transactionText = regexp.MustCompile(`^(?i)\s*(?:BEGIN|START\s+TRANSACTION|COMMIT|ROLLBACK)\b`)

// txMethods are the methods of database/sql that do the same without text.
var txMethods = []string{"BeginTx", "Commit", "Rollback"}

func kitRules() []rule {
	const imports = "import (\n\"database/sql\"\n\"database/sql/driver\"\n)\nvar _ *sql.DB\nvar _ driver.Conn\n"
	return []rule{{
		name: "Transactions and rows have one kit",
		why: "a commit has three answers, and a connection is never used again after an error: that is said once, " +
			"in " + kit + "; run a transaction with its Tx, read rows with its Each",
		check: each(checkKit),
		caught: []files{
			{"orderset/a.go": "package orderset\n" + imports + `const end = "COMMIT"`},
			{"internal/books/a.go": "package books\n" + imports + `const end = "rollback"`},
			{"orderset/a.go": "package orderset\n" + imports + `const first = "START TRANSACTION READ ONLY"`},
			{"schema/a.go": "package schema\n" + imports + "func drop(any) error { return driver.ErrBadConn }"},
			{"orderset/a.go": "package orderset\n" + imports + "func read(rows *sql.Rows) {\nfor rows.Next() {\n}\n}"},
			{"orderset/a.go": "package orderset\n" + imports + "func end(tx *sql.Tx) error { return tx.Commit() }"},
		},
		passed: []files{
			{kit + "/a.go": "package mariadb\n" + imports + "const end = \"COMMIT\"\nfunc read(rows *sql.Rows) {\nfor rows.Next() {\n}\n}"},
			{"orderset/a_test.go": "package orderset\n" + imports + `const end = "COMMIT"`},
			{"orderset/a.go": "package orderset\n" + imports + "// COMMIT ends it.\nconst lost = \"the COMMIT was lost\""},
			{"queue/a.go": "package queue\nimport \"container/list\"\nfunc walk(l *list.List) {\nfor e := l.Front(); e != nil; e = e.Next() {\n}\n}"},
		},
	}, {
		name:   "A SET's database has one door",
		why:    "a write that goes past orderset/setdb names no reign, and could commit on a primary that was replaced",
		check:  each(checkDoor),
		caught: []files{{"orderset/a.go": "package orderset\n" + imports}, {"orderset/later/a.go": "package later\n" + imports}},
		passed: []files{
			{door + "/a.go": "package setdb\n" + imports},
			{"orderset/a_test.go": "package orderset\n" + imports},
			{"orderset/a.go": "package orderset\nimport \"database/sql\"\nfunc read(*sql.Rows, *sql.Conn) {}"},
		},
	}}
}

// door is the one package of the SETs that has pools of connections.
const door = "orderset/setdb"

func checkDoor(t *tree, s *source) []finding {
	if s.test || s.dir == door || !strings.HasPrefix(s.dir+"/", "orderset/") {
		return nil
	}
	var found []finding
	ast.Inspect(s.file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "DB" && s.imported(sel.X) == "database/sql" {
			found = append(found, t.at(sel.Pos(), "a pool of connections: take a setdb.DB"))
		}
		return true
	})
	return found
}

func checkKit(t *tree, s *source) []finding {
	sql := slices.ContainsFunc(s.file.Imports, func(i *ast.ImportSpec) bool {
		return unquoted(i.Path) == "database/sql" || unquoted(i.Path) == "database/sql/driver"
	})
	if s.test || !sql || s.dir == kit || s.dir == harness {
		return nil
	}
	var found []finding
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if n.Kind == token.STRING && transactionText.MatchString(unquoted(n)) {
				found = append(found, t.at(n.Pos(), "%s begins or ends a transaction: use mariadb.Tx", n.Value))
			}
		case *ast.SelectorExpr:
			if s.imported(n.X) == "database/sql/driver" && n.Sel.Name == "ErrBadConn" {
				found = append(found, t.at(n.Pos(), "a connection is thrown away by mariadb.Abandon or Discard"))
			}
		case *ast.CallExpr:
			if sel, ok := n.Fun.(*ast.SelectorExpr); ok && slices.Contains(txMethods, sel.Sel.Name) {
				found = append(found, t.at(n.Pos(), "%s begins or ends a transaction: use mariadb.Tx", sel.Sel.Name))
			}
		case *ast.ForStmt:
			if call, ok := n.Cond.(*ast.CallExpr); ok {
				if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Next" {
					found = append(found, t.at(n.Pos(), "rows are walked by mariadb.Each"))
				}
			}
		}
		return true
	})
	return found
}
