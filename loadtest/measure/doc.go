// Package measure runs crowds against a service and computes figures from what
// they recorded: goodput, latencies, CPU and memory, and ratios of them that hold
// on other machines too.
//
// [Compare] compares the open modes with each other and with ceilings; [RunCell]
// and [RunStorm] are parts of it alone. [RunFull] measures before and after the
// tables are filled. [RunPipeline] finds the rate of opens that can be sustained
// with payouts, books and notifications behind them. [RunScenario] is one open
// loop.
//
// # Guaranteed
//
//   - Every measurement ends in the audit of all its answers and, where the caller
//     gives Books, in reading every row. Figures of a measurement whose audit
//     failed are withheld: a service that answers wrongly has no speed.
//   - Closed loops (a fixed number of callers) measure capacity and say so; open
//     loops measure latency from when each request was due. Only new shares count
//     as goodput.
//   - Whatever a ratio divides was measured in one run, on one machine, under one
//     durability, which the session names.
//
// # Not guaranteed
//
// The crowd shares the machine with the service and its databases, so absolute
// figures are those of the machine. A session says which share of the CPUs other
// programs used; it does not correct for it.
package measure
