// Package operator is what people and their programs do on the operator's
// listener: look at what is owed, pause it, repair it, decide about held money,
// and measure the process. It has both sides: [API] in hongbaod, [Client] in
// hongbaoctl, and between them one set of types.
//
// Guaranteed here:
//
//   - Whatever changes something, moves money, names a person or costs the process
//     its time wants a token with scope operate, signed under keys.operators.
//     Open to every client of the listener are counts and states only: health,
//     readiness, metrics, the outbox's counts and the open mode.
//   - A request that names another host than the listener's is refused, so that no
//     name can be pointed at it from a web page, and one that a page of another
//     origin makes is refused before anything is read.
//   - One decoder reads every parameter and body: what is unknown, given twice,
//     empty or of the wrong type is a 400 that names it, and nothing is done.
//   - Every error is application/problem+json, by the one table of
//     [hongbao/internal/httpapi]; unknown paths are 404, wrong methods 405 with Allow.
//   - A SET that does not answer hides no other: a look has one row a SET, the dead
//     one with its error, and what is done to all SETs is reported for each.
//
// Not guaranteed here: that all SETs change together. A pause is a transaction a
// SET and topic, and the answer says which were made.
//
// # Adding a verb
//
// One about a transfer, say "held withdraw":
//
//  1. Say what it takes and answers, in the file of its subject: a struct whose
//     fields have the tags path or param ([NumberInput] is there already), and a
//     struct for the answer, or [None] for 204. Types with a Validate method are
//     held to it on both sides.
//  2. Add what it asks of a SET to the interface [Set], if that is new.
//  3. Write the handler, func(ctx, by Person, in I) (O, error), and its line in
//     [API.calls]: secured, unless it only counts.
//  4. Write the client's method, one line of ask with the same pattern.
//  5. Write the verb in cmd/hongbaoctl: a struct with Run, and its line in the
//     command above it.
//
// The tests that hold every call to the rules above walk API.calls: a new one is
// held to them without being named there.
package operator
