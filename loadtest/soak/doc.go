// Package soak lets a crowd send, pay, open, tap twice and leave envelopes to
// expire while a simulated provider misbehaves, and then compares provider,
// orders, users' books and events.
//
// # Guaranteed
//
//   - A soak passes only if every book agrees to the fen, nothing is pending or
//     overdue, and each dispute and each held transfer is about a fault that the
//     provider was set to simulate, one for one.
//   - What was there before the soak explains nothing.
//   - Every wait has a bound, and the provider is set back to honest when the
//     crowd stops, whatever the reason.
//
// # Not guaranteed
//
// Lifetimes longer than [hongbao/loadtest.LifetimeSeenMax] are not waited for; the
// result notes what could not be seen. With Bugs the ledger differs from the
// orders for good: such a soak is for an environment that is thrown away.
package soak
