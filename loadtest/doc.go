// Package loadtest is a crowd that knows what it is owed. It sends envelopes,
// opens them as fast or as often as it is told, remembers every request and
// every answer, and at the end holds all of it against what the service shows:
// [History.Audit]. It speaks HTTP and knows of the service what any caller may
// know, so it cannot share a mistake with it.
//
// Three scenarios, each fully determined by its seed: [Hot] opens one envelope
// after another, [Spread] hundreds at once, [Festival] sends and opens like the
// eve of the new year, with a spike at midnight and people who tap twice.
//
// [Soak] follows the money: people send, pay, open, tap twice and leave envelopes
// to expire while the provider lies; then provider, orders, users' books and
// events must agree, and every dispute and everything held must be about a lie
// that was told. [MeasurePipeline] finds how many opens a second can go on for
// ever with payouts, books and events behind them.
//
// # Guaranteed
//
//   - Arrivals do not wait for answers: a request is due when the plan says so,
//     and its latency counts from then, also when it could not be sent in time
//     (no coordinated omission). A run with a fixed number of callers measures
//     capacity, and says that it did.
//   - Accepted, refused fast, refused slow, unknown, unreached and wrong answers
//     are counted apart. Only new shares count as goodput.
//   - A run whose audit fails has a verdict and no throughput: a fast service
//     that lies has no speed worth knowing.
//   - What a comparison divides, it measured in one run, on one machine, under
//     one durability, which it names.
//
// # Not guaranteed
//
// The crowd shares the machine with what it measures, so absolute figures are
// those of the machine; ratios travel better. The audit sees what callers see:
// a wrong row that no answer shows is found by reading the books, which is the
// caller's to add ([Books], [Reckoning]). A crowd on one host cannot offer more than its
// connections carry; what it could not send is counted as unsent, never as
// refused.
package loadtest
