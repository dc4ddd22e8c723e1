// Package loadtest is a crowd with an auditor. The crowd sends envelopes, opens
// them at a planned rate or as fast as it is answered, and records every request
// with its answer; the auditor compares all of it with what the service shows at
// the end: [History.Audit]. The package speaks HTTP and uses of the service only
// what any caller may use, so it cannot share a mistake with it.
//
// Three scenarios, each fully determined by its seed: [Hot] opens one envelope
// after another, [Spread] hundreds at once, [Festival] sends and opens like the
// eve of the new year, with a spike at midnight and people who tap twice. A
// fourth, [Soaking], walks every path of money.
//
// Three packages build on it: measure runs crowds and computes figures, soak lets
// the provider misbehave meanwhile and compares all books, report renders what
// both return. Package wire is the crowd's HTTP connection, and past makes
// envelopes from before a measurement, to fill tables with.
//
// # Guaranteed
//
//   - Arrivals do not wait for answers: a request is due when the plan says so,
//     and its latency counts from then, also when it could not be sent in time
//     (no coordinated omission).
//   - Accepted, refused fast, refused slow, unknown, unreached and wrong answers
//     are recorded apart. Only an unknown outcome may or may not have had an
//     effect; refused and unreached requests had none, and the audit checks that.
//   - A plan is the same on every machine, and its digest identifies it.
//
// # Not guaranteed
//
// The audit sees what callers see: a wrong row that no answer shows is found by
// reading the books, which measure and soak add. A crowd on one host cannot offer
// more than its connections carry; what it could not send is counted as unsent,
// never as refused.
package loadtest
