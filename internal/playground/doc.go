// Package playground runs a whole local deployment under one directory: a mariadbd
// for each SET and one for users' books, memcached, the payment simulator, a
// receiver of events, and hongbaod. Package cluster starts single servers and keeps
// them from outliving their parent; this package knows which servers a deployment
// is made of, writes the settings they share, starts them in the order of need,
// restarts what dies and describes the whole in playground.json.
//
// # Guaranteed
//
//   - One playground a directory: the second one gets [ErrRunning].
//   - [Start] on a directory with data resumes it. Its shape is that of the last
//     start where the new one does not say otherwise, no SET that has data is left
//     out, and a settings file that was edited meanwhile is not written over.
//   - [Start] returns when every part answers, or stops what it started and
//     returns the error. Every wait has a bound: ReadyMax for a part, StopMax for
//     all of them to end.
//   - [Playground.Close] stops the processes that this value started and no other.
//     The data stays.
//   - playground.json is written whole or not at all, after everything answers,
//     and again whenever a process was replaced.
//
// # Not guaranteed
//
// A SET has one database here: nothing is replicated, and no failover takes place.
// Nothing but loopback is listened on, and the keys are for playgrounds only.
package playground
