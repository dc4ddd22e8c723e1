// Package reconcile compares books that must agree: SETs' orders with their own
// rules, with users' books and with what the payment provider says it has moved.
// A [Driver] walks every [Source] once for all [Comparison]s and reports each
// [Difference]; a test, a soak, a command and a job use the same one. What is due
// by the clock is in package jobs below it.
//
// Guaranteed: a source that cannot be read hides no other, and what takes all
// sources is then not compared, which the report says. With several looks, only
// what each of them found is reported, so that books of a running service may be
// a moment apart. At most [DifferencesMax] differences are kept of one comparison.
//
// Not guaranteed: a moment at which all books are read; differences that come and
// go between two looks. Nothing is repaired here. What is compared is kept in
// memory: a claim a number, a row a share.
package reconcile
