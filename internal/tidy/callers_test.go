package tidy

import (
	"fmt"
	"slices"
	"strings"
)

// foreign are the methods by which libraries reach our types: an interface of
// the standard library, of gin, kong, memcache or the Prometheus client.
var foreign = strings.Fields(`Error Unwrap Is As String GoString Format LogValue
	MarshalJSON UnmarshalJSON MarshalText UnmarshalText MarshalYAML UnmarshalYAML MarshalJSONTo UnmarshalJSONFrom
	Read Write Close Seek ServeHTTP RoundTrip Timeout Temporary
	Scan Value Connect Driver Less Len Swap
	Describe Collect Run Validate AfterApply Help Decode`)

// uncalled are the exported functions that no production code calls.
var uncalled = []exception{
	{"envelope.ParseDay", "reads back what Day.String writes; a fuzz test holds the two together"},
	{"envelope.State.CanBecome", "the arrows of I8, which tests hold every transaction to"},
	{"internal/books.NewAuditor", "the oracle that every test ends in"},
	{"internal/cluster.MariaDB.AdminDSN", "tests change a database behind the service's back"},
	{"internal/cluster.MariaDB.Socket", "tests look whether a stopped database is gone"},
	{"internal/cluster.Process.Freeze", "tests stop a database that keeps its connections"},
	{"internal/cluster.Process.Thaw", "ends a Freeze"},
	{"internal/httpapi.OpenAPI", "the document that tests hold every answer to"},
	{"internal/payment.Client.CancelTransfer", "a call of the provider's API that no transaction asks for"},
	{"internal/payment.Client.FundFlowBill", "the bill of a day that orders are compared with"},
	{"internal/payment.Client.TradeBill", "the bill of a day that orders are compared with"},
	{"internal/webhook.MakeSecret", "what an operator would do by hand, for tests"},
	{"orderset/audit.OpenDSN", "the oracle that every test ends in"},
	{"orderset/upkeep.Maintainer.Promote", "the seam through which a failover gives a SET another primary"},
	{"orderset.Set.Promote", "the seam through which a failover gives a SET another primary"},
}

func callerRules() []rule {
	const head = "// Package queue waits.\npackage queue\n"
	const lane = head + "type Lane struct{}\n\nfunc (*Lane) Enter() {}\n"
	return []rule{{
		name: "What is exported has a caller",
		why: "an exported function that only a test calls is a promise without a purpose: remove it, unexport it, " +
			"or list it in uncalled with the reason",
		check: func(t *tree) []finding { return t.withoutCaller(uncalled) },
		caught: []files{
			{"queue/a.go": head + "func Enter() {}"},
			{"queue/a.go": lane},
			{"queue/a.go": lane, "queue/a_test.go": "package queue\nfunc f(l *Lane) { l.Enter() }"},
			{"queue/a.go": lane + "type leaver interface { Leave(); Enter() }"},
			{"queue/a.go": lane, "internal/settest/a.go": "package settest\nimport \"hongbao/queue\"\nfunc f(l *queue.Lane) { l.Enter() }"},
			{"queue/a.go": lane + "type Gate struct{}\nfunc (Gate) Enter() {}\nfunc f(g Gate) { g.Enter() }"},
		},
		passed: []files{
			{"queue/a.go": head + "func Enter() {}\nfunc f() { Enter() }"},
			{"queue/a.go": lane, "cmd/hongbaod/a.go": "package main\nimport \"hongbao/queue\"\nfunc f(l *queue.Lane) { l.Enter() }"},
			{"queue/a.go": lane, "cmd/hongbaod/a.go": "package main\nimport \"hongbao/queue\"\nvar f = (*queue.Lane).Enter"},
			{"queue/a.go": lane + "type enterer interface { Enter() }"},
			{"queue/a.go": lane + "type guard struct{ *Lane }\nfunc (guard) Leave() {}\ntype both interface { Enter(); Leave() }"},
			{"queue/a.go": lane, "cmd/hongbaod/a.go": "package main\nimport \"example.com/lanes\"\nfunc f() { lanes.First().Enter() }"},
			{"queue/a.go": head + "type E struct{}\nfunc (E) Error() string { return \"\" }"},
			{"internal/settest/a.go": head + "func Start() {}"},
		},
	}}
}

// harnesses are packages for tests and drills; their code is no caller, and what
// they export is for those.
var harnesses = []string{"internal/settest", "internal/settest/fakeservice", "internal/faultproxy", "internal/contract", rulebook}

// withoutCaller reports what is exported and has no caller, and exceptions
// that are not needed.
func (t *tree) withoutCaller(except []exception) []finding {
	p := t.program()
	named, unresolved := p.uses(func(s *source) bool { return !slices.Contains(harnesses, s.dir) })
	through := p.through()
	var found []finding
	lonely := map[string]bool{}
	for _, e := range p.exports() {
		method := e.decl.Name.Name
		called := named[e.object] || e.decl.Recv != nil &&
			(unresolved[method] || slices.Contains(foreign, method) || through[e.object])
		if called || slices.Contains(harnesses, e.source.dir) {
			continue
		}
		lonely[e.name()] = true
		if !slices.ContainsFunc(except, func(x exception) bool { return x.name == e.name() }) {
			found = append(found, t.at(e.decl.Pos(), "%s has no caller", e.name()))
		}
	}
	return append(found, t.unneeded("uncalled", except, lonely)...)
}

// name is the export as a reader would write it: orderset.Router.Expire.
func (e export) name() string {
	pkg := e.source.dir
	if on := receiver(e.decl); on != "" {
		return fmt.Sprintf("%s.%s.%s", pkg, on, e.decl.Name.Name)
	}
	return fmt.Sprintf("%s.%s", pkg, e.decl.Name.Name)
}
