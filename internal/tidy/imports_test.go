package tidy

import (
	"fmt"
	"go/ast"
	"slices"
	"strconv"
	"strings"
)

// A place says what one package of ours may import of ours, and why no more.
type place struct {
	dir, imports, why string
}

// everything stands for all packages of ours in a place's imports.
const everything = "*"

// places has every package of the house. A new package gets its line here
// before it gets its first import.
var places = []place{
	{"envelope", "", "the domain is pure: anyone can recompute a share or a state from it alone"},
	{"queue", "", "the queue knows keys, not envelopes: lose or double it and only speed suffers"},
	{"schema", "internal/mariadb", "DDL and grants are applied before anything else of ours can run"},
	{"orderset/setdb", "envelope schema internal/mariadb", "a SET's database knows reigns and answers, and no business"},
	{"orderset/layout", "envelope schema internal/mariadb", "where rows are and how they are read does not depend on what is done with them"},
	{"orderset/audit", "envelope orderset/setdb orderset/layout internal/mariadb reconcile", "rows are judged by the domain's rules, not by the code that wrote them"},
	{"orderset/owed", "envelope orderset/setdb orderset/layout internal/mariadb", "what is owed follows from rows, whatever transaction wrote them"},
	{"orderset/decision", "envelope orderset/setdb orderset/layout orderset/owed internal/mariadb", "what people decide is carried out by the means of what is owed"},
	{"orderset/memory", "envelope orderset/setdb", "it remembers what was committed or read, and commits and reads nothing"},
	{"orderset/upkeep", "envelope schema orderset/setdb orderset/layout internal/mariadb", "tables are made and rows deleted by their dates and states; what they mean is decided elsewhere"},
	{"orderset", "envelope schema orderset/setdb orderset/layout orderset/owed orderset/decision orderset/memory internal/mariadb internal/sendkey", "it commits what envelope decided; the way a request came in is not its business"},
	{"reconcile", "envelope", "it compares what it is given, so every book can report its differences in its words"},
	{"reconcile/jobs", "envelope", "a job knows a SET by what it can do"},
	{"loadtest", "envelope loadtest/wire reconcile", "the crowd knows only what a caller is owed, so it cannot share a mistake with the server"},
	{"loadtest/wire", "", "a connection carries requests and does not know what they ask for"},
	{"loadtest/past", "envelope", "rows of before a measurement, decided by the domain alone"},
	{"loadtest/measure", "envelope loadtest loadtest/past reconcile", "figures are computed from what the crowd recorded and what its caller reads for it"},
	{"loadtest/soak", "envelope loadtest loadtest/measure reconcile", "books are compared as its caller read them, so no reader of rows is trusted twice"},
	{"loadtest/report", "loadtest loadtest/measure loadtest/soak", "a page shows results and computes none"},
	{"internal/httpapi/intake", "", "what a connection may cost does not depend on what is asked over it"},
	{"internal/httpapi/bearer", "envelope", "a token speaks for a user; what the user asks for is not its business"},
	{"internal/httpapi", "envelope queue internal/httpapi/bearer internal/httpapi/intake", "HTTP is one way in; it answers for a teller and does not know which"},
	{"internal/operator", "envelope orderset orderset/owed orderset/decision internal/httpapi internal/httpapi/bearer", "what people do to SETs, for both programs; HTTP's table and tokens are httpapi's"},
	{"internal/payment/apiv3", "", "signatures and seals are the same whatever is signed, and for both sides"},
	{"internal/payment/bill", "envelope", "a bill is read as a text; where it came from is not its business"},
	{"internal/payment", "envelope internal/payment/apiv3 internal/payment/bill", "adapters are ignorant of each other; cmd ties them"},
	{"internal/payment/simulator/states", "", "how a state is spelled does not depend on how it is reached"},
	{"internal/payment/simulator/refusal", "", "how the provider refuses does not depend on what"},
	{"internal/payment/simulator/lies", "", "what to lie about is a document that names operations"},
	{"internal/payment/simulator/certificate", "", "a certificate is of a key alone"},
	{"internal/payment/simulator/ledger", "internal/payment/simulator/refusal internal/payment/simulator/states", "what happened is kept apart from how it was asked for"},
	{"internal/payment/simulator/wire", "internal/payment/simulator/ledger internal/payment/simulator/refusal internal/payment/simulator/states", "documents say what the ledger keeps, and know no server"},
	{"internal/payment/simulator/dispatch", "internal/payment/simulator/ledger internal/payment/simulator/lies", "when something is due does not depend on what it does"},
	{"internal/payment/simulator/statement", "internal/payment/simulator/ledger internal/payment/simulator/states internal/payment/simulator/wire", "a bill is written from the ledger alone"},
	{"internal/payment/simulator", "envelope internal/durable internal/payment/apiv3 internal/payment/simulator/states internal/payment/simulator/refusal internal/payment/simulator/lies internal/payment/simulator/certificate internal/payment/simulator/ledger internal/payment/simulator/wire internal/payment/simulator/dispatch internal/payment/simulator/statement", "the simulated provider speaks the wire protocol and knows nothing behind it"},
	{"internal/relay", "envelope", "it carries out what was committed through interfaces and knows no receiver by its type"},
	{"internal/durable", "", "how a file gets onto disk does not depend on what is in it"},
	{"internal/webhook", "envelope internal/durable", "adapters are ignorant of each other; cmd ties them"},
	{"internal/webhook/receiver", "", "a receiver knows the standard and the secret, so it cannot share a mistake with the sender"},
	{"internal/books", "envelope schema internal/mariadb internal/sendkey reconcile", "adapters are ignorant of each other; cmd ties them"},
	{"internal/orderserver", "envelope orderset queue", "it queues what is asked of one SET; the ways in, and other SETs, are not its business"},
	{"internal/worker", "envelope orderset reconcile/jobs internal/relay internal/payment orderset/decision orderset/upkeep", "it does the background work of one SET for receivers it is given; other SETs are not its business"},
	{"internal/sets", "envelope orderset internal/orderserver internal/worker orderset/owed orderset/decision orderset/upkeep", "a SET of a process is one value with a life; what asks for it is not its business"},
	{"internal/keyring", "envelope orderset internal/books internal/httpapi/bearer internal/payment internal/relay internal/settings internal/webhook", "the secrets of one file become what uses them; what that is for is not its business"},
	{"internal/console", "envelope orderset queue reconcile", "a page shows ideas, not other adapters"},
	{"internal/mariadb", "", "what the database's answer means does not depend on the caller"},
	{"internal/sendkey", "envelope internal/mariadb", "a key's record is the same row in a SET and in a shard of the books"},
	{"internal/fill", "envelope schema orderset/setdb orderset/layout internal/mariadb", "it writes rows as they are given, past everything that decides"},
	{"internal/cluster", "schema", "it runs database processes and applies the schema; what is stored there is not its business"},
	{"internal/drill", "envelope orderset queue reconcile schema loadtest internal/cluster", "a drill breaks real processes and asks the ideas for the verdict"},
	{"internal/contract", "", "answers are held to whatever document they are given"},
	{"internal/settings", "envelope orderset queue internal/durable internal/httpapi internal/httpapi/bearer internal/payment internal/payment/apiv3 orderset/decision", "one file sets what the ideas and the adapters take, and turns key files into their key types; the rest is wired in code"},
	{"internal/faultproxy", "", "it knows the protocol and not what is said in it"},
	{"internal/provision", "envelope internal/settings orderset schema", "settings say where databases are, schema what they are like"},
	{"internal/audit", "envelope internal/books internal/payment/simulator internal/settings orderset orderset/audit reconcile", "every book is read by the package that answers for it"},
	{"internal/playground", "internal/cluster internal/durable internal/payment/simulator internal/provision internal/settings orderset schema", "it runs the parts of a deployment; what they do is theirs"},
	{"internal/testbed", "envelope internal/audit internal/books internal/cluster internal/httpapi internal/httpapi/bearer internal/operator internal/payment/simulator internal/playground internal/settings loadtest loadtest/measure loadtest/past loadtest/soak orderset orderset/audit orderset/owed internal/fill queue reconcile", "it gives measurements what they cannot know of a service"},
	{"internal/settest", everything, "the harness starts whatever a test needs"},
	{"internal/settest/fakeservice", "envelope", "it stands in for the service, and shares nothing with it but the domain"},
	{"internal/tidy", "", "the rules read the tree and are no part of it"},
	{"cmd/internal/command", "", "a command line is the same whatever the verb does"},
	{"cmd/hongbaod", everything, "cmd ties the adapters together"},
	{"cmd/hongbaoctl", everything, "cmd ties the adapters together"},
}

// A home is a dependency that only some directories may import outside their tests.
type home struct {
	imports, dirs, why string
}

var homes = []home{
	{"database/sql", "orderset orderset/setdb orderset/layout orderset/audit orderset/owed orderset/decision orderset/upkeep internal/fill internal/books internal/mariadb internal/sendkey schema internal/settest internal/cluster", "every statement is in a package that answers for it"},
	{"database/sql/driver", "orderset orderset/setdb internal/books internal/mariadb schema internal/settest internal/cluster", "every statement is in a package that answers for it"},
	{"github.com/go-sql-driver/mysql", "orderset orderset/setdb internal/books internal/mariadb schema internal/settest internal/cluster", "what a MySQL error means is decided once"},
	{"github.com/golang-jwt/jwt/v5", "internal/httpapi/bearer", "what a token must say is decided in one place"},
	{"github.com/gin-gonic/gin", "internal/httpapi internal/console", "the ideas must outlive the router"},
	{"github.com/bradfitz/gomemcache/memcache", "queue orderset/memory", "memcached gives speed only, so only what is fast because of it may know it"},
	{"github.com/sony/sonyflake/v2", "orderset", "an order ID is minted in one place"},
	{"github.com/robfig/cron/v3", "reconcile/jobs", "a job is a value; one runner decides when it runs"},
	{"go.yaml.in/yaml/v3", "internal/settings", "there is one YAML file"},
	{"github.com/caarlos0/env/v11", "internal/settings", "the environment is read in one place"},
	{"github.com/alecthomas/kong", "cmd/hongbaod cmd/hongbaoctl cmd/internal/command", "only a program has a command line"},
	{"testing", "internal/settest internal/settest/fakeservice", "a server that links testing grows test flags"},
	{"github.com/prometheus/common/expfmt", "loadtest/measure", "metrics are read back by one parser"},
	{"go.uber.org/goleak", "internal/settest", "a test library in a server is dead weight"},
	{"github.com/getkin/kin-openapi/openapi3", "internal/contract", "documents are for tests; the service serves the bytes"},
	{"pgregory.net/rapid", "internal/settest", "a test library in a server is dead weight"},
	{"github.com/google/go-cmp/cmp", "internal/settest", "cmp panics on what it does not understand, which is for tests only"},
}

func importRules() []rule {
	return []rule{
		{
			name:  "Packages of ours import each other one way",
			why:   "imports that point one way keep the ideas apart from how the world plugs into them",
			check: each(checkPlace),
			caught: []files{
				{"queue/a.go": "package queue\nimport \"hongbao/envelope\"\nvar _ envelope.ID"},
				{"reconcile/a.go": "package reconcile\nimport _ \"hongbao/internal/books\""},
				{"internal/newcomer/a.go": "package newcomer"},
			},
			passed: []files{
				{"orderset/a.go": "package orderset\nimport \"hongbao/envelope\"\nvar _ envelope.ID"},
				{"queue/a_test.go": "package queue_test\nimport _ \"hongbao/internal/settest\""},
				{"cmd/hongbaod/main.go": "package main\nimport _ \"hongbao/internal/books\""},
			},
		},
		{
			name:   "The harness is imported by tests and by nothing else",
			why:    "settest ends the test when it cannot go on, and may do so because nothing but a test is there to end",
			check:  each(checkHarness),
			caught: []files{{"cmd/hongbaoctl/a.go": "package main\nimport _ \"hongbao/internal/settest\""}},
			passed: []files{{"cmd/hongbaoctl/a_test.go": "package main\nimport _ \"hongbao/internal/settest\""}},
		},
		{
			name:  "A dependency is imported where it is at home",
			why:   "a library known in one place can be replaced there, and its pitfalls are handled there",
			check: each(checkHomes),
			caught: []files{
				{"reconcile/a.go": "package reconcile\nimport \"database/sql\"\nvar _ *sql.DB"},
				{"orderset/a.go": "package orderset\nimport \"github.com/gin-gonic/gin\"\nvar _ gin.H"},
				{"queue/a.go": "package queue\nimport \"testing\"\nfunc Check(*testing.T) {}"},
			},
			passed: []files{
				{"orderset/a.go": "package orderset\nimport \"database/sql\"\nvar _ *sql.DB"},
				{"reconcile/a_test.go": "package reconcile\nimport (\n\"database/sql\"\n\"testing\"\n)\nvar _ *sql.DB\nvar _ *testing.T"},
			},
		},
		{
			name:  "The domain imports the standard library and no door to the world",
			why:   "a decision that touches no socket, file or database can be tested whole and recomputed by anyone",
			check: each(checkPure),
			caught: []files{
				{"envelope/a.go": "package envelope\nimport _ \"golang.org/x/sync/errgroup\""},
				{"envelope/a.go": "package envelope\nimport _ \"net/http\""},
				{"envelope/a.go": "package envelope\nimport _ \"os\""},
			},
			passed: []files{
				{"envelope/a.go": "package envelope\nimport _ \"crypto/hmac\""},
				{"envelope/a_test.go": "package envelope\nimport _ \"pgregory.net/rapid\""},
				{"queue/a.go": "package queue\nimport _ \"net\""},
			},
		},
	}
}

func checkPlace(t *tree, s *source) []finding {
	i := slices.IndexFunc(places, func(p place) bool { return p.dir == s.dir })
	if i < 0 {
		return []finding{{s.path, s.dir + " has no line in places: say what it may import, and why"}}
	}
	return s.badImports(t, func(path string) string {
		ours, ok := strings.CutPrefix(path, module+"/")
		if !ok || places[i].imports == everything || slices.Contains(strings.Fields(places[i].imports), ours) {
			return ""
		}
		return fmt.Sprintf("%s may not import %s: %s", s.dir, ours, places[i].why)
	})
}

func checkHarness(t *tree, s *source) []finding {
	return s.badImports(t, func(path string) string {
		if path != importPath("internal/settest") {
			return ""
		}
		return s.path + " is no test and imports the harness"
	})
}

func checkHomes(t *tree, s *source) []finding {
	return s.badImports(t, func(path string) string {
		i := slices.IndexFunc(homes, func(h home) bool { return h.imports == path })
		if i < 0 || slices.Contains(strings.Fields(homes[i].dirs), s.dir) {
			return ""
		}
		return fmt.Sprintf("only %s may import %s: %s", strings.Join(strings.Fields(homes[i].dirs), ", "), path, homes[i].why)
	})
}

func checkPure(t *tree, s *source) []finding {
	if s.dir != "envelope" {
		return nil
	}
	doors := []string{"database", "net", "os", "syscall", "plugin"}
	return s.badImports(t, func(path string) string {
		first, _, _ := strings.Cut(path, "/")
		if !strings.Contains(first, ".") && !slices.Contains(doors, first) {
			return ""
		}
		return "envelope may not import " + path
	})
}

// badImports asks wrong about every import of s and reports what it answers.
// A test may import what it likes.
func (s *source) badImports(t *tree, wrong func(path string) string) []finding {
	if s.test {
		return nil
	}
	var found []finding
	for _, spec := range s.file.Imports {
		if what := wrong(unquoted(spec.Path)); what != "" {
			found = append(found, t.at(spec.Pos(), "%s", what))
		}
	}
	return found
}

// unquoted is what a string literal says.
func unquoted(literal *ast.BasicLit) string {
	text, err := strconv.Unquote(literal.Value)
	if err != nil {
		panic(err) // the parser accepted the literal
	}
	return text
}
