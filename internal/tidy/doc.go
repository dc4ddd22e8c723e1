// Package tidy holds the house rules by test: what may import what, what
// hongbaod may link, how long a function and how large a package gets, which
// exported names need a caller, where SQL is written and what no package may
// keep for itself. It has no code of its own, only tests.
//
// A failing rule prints the place, what is wrong there and why the house cares.
// A rule that should no longer hold is changed here, with its reason, and not
// worked around in the code.
//
// # What is guaranteed
//
// Every rule carries negative controls: small trees that break it, which it
// must report, and near misses, which it must pass. A rule that has gone blind
// fails before it can let anything through.
//
// # What is not
//
// The rules read syntax and resolve names inside one package, the rule about
// callers across packages of ours; none loads a package that is not ours. A
// method that is called on the result of such a package counts as a call of
// every method of that name. A constant of another package counts as a variable,
// a method that changes a package variable behind a value goes unseen, and SQL
// put together by something cleverer than fmt, + or a builder does too. The
// rules catch habits, not malice.
package tidy
