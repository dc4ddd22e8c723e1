// Package queue is admission: it decides which requests may go to the database, when, and
// in whose company. It knows keys, not envelopes, and imports nothing of ours.
//
// Three parts, used in this order on the way in, cheapest first:
//
//   - [Shedder], one per SET, says no in nanoseconds when the SET cannot take
//     more: draining, too many in flight, CPU, queue age, database health, and
//     an adaptive limit learned from latency.
//   - [Gate] caps how many processes work on one key at a time, by leases kept
//     in memcached and changed by compare-and-swap. A warm key costs no round trip.
//   - [Lane] keeps a bounded FIFO per key and hands ready requests, in batches,
//     to one worker: queueing keeps a hot row from fighting itself, grouping
//     makes one commit pay for many requests.
//
// # Guaranteed
//
// By a lane: requests of one key are handed to Serve in admission order (F1);
// a key waits for at most one bounded turn of every other ready key (F2, F3);
// every request that Do accepted is answered exactly once, also when Serve
// fails, panics or hangs and the lane is closed (FA14, FA15); a request that is
// answered busy was not handed to Serve, or was handed to a call of which
// nothing took effect; queues are bounded per key and per lane (FA12), and a
// request waits in them at most WaitMax (FA11); a key without requests costs
// no memory and no goroutine (FA13).
//
// By the gate: at most HoldersMax processes hold a live lease on a key while
// the store keeps its memory and clocks agree; a dead holder's lease ends by
// itself within LeaseFor (FB2); leaving twice is leaving once (FB3). With the
// store gone a lower local cap holds, never none and never no cap (FB4).
//
// By the shedder: a refusal waits for nothing and touches no network and no
// database; an ill database is probed by one request at a time, so recovery
// waits for no operator.
//
// # Not guaranteed
//
// Nothing here makes money right: wipe, double or freeze any part and only
// speed and fairness suffer. Two processes may serve one key at once (the cap
// is HoldersMax, and a wiped store starts again at zero), so F1 holds within
// one lane only. Lease expiry trusts wall clocks: skew shortens or stretches a
// lease by as much. A caller that leaves while being served learns
// [ErrUnknown]: its request may or may not have taken effect. A Serve that
// ignores its context outlives Close. One Admit in SampleEvery reads the CPU
// gauge for all, which takes some 10 µs.
package queue
