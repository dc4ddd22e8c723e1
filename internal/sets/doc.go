// Package sets is the SETs that a process serves while it runs: of each the
// connections, the order server and the background worker, as one [Unit]. They are
// added, replaced and removed as a whole.
//
// Guaranteed: a request sees of a SET one unit or none, and keeps what it got to its
// end. A SET that is added was opened, examined and started before its first request.
// One that is removed is out of reach first, then drained within a bound, then closed;
// from then on its IDs are answered busy, to be asked again, as those of a SET that is
// not listed any more. An envelope keeps its SET: nothing moves from one to another.
//
// Not guaranteed: that all processes of a deployment have the same SETs at the same
// time. While they differ, sends of one idempotency key at two of them may look at
// different homes of it; two homes of three stay the same when one SET comes or goes.
package sets
