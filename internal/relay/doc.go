// Package relay carries out what was committed. An open commits shares and one
// outbox row; everything that follows from them happens here, later: opener and
// sender get their money, the books are written, the IM backend is notified, and the
// provider is asked about payments it never reported. One [Relay] works for one
// SET; several may work for the same one, on one machine or many.
//
//	outbox ──spread──▶ transfer rows ──▶ provider: a bill each, or in batches
//	                   delivery rows ──▶ book, event
//	unpaid envelopes ────────────────▶ charge: paid, or closed in time
//
// Guaranteed:
//
//   - Nothing committed is skipped. Work is found by its state in the database,
//     never by a remembered position, and it is done when the database says so.
//     A relay that dies in the middle of anything leaves a lease that ends.
//   - A transfer has one number for ever (I7). An unknown outcome is
//     asked for again under that number, without end; it is never a failure,
//     and no transfer is parked for it. A refusal that people can do something
//     about is recorded as why the transfer is stuck, and it is asked for again. The same holds for a batch of payouts,
//     whose members never change.
//   - Every receiver is notified at least once, and of one envelope in order, as
//     long as its delivery ends within the lease: each call is cut off before.
//   - One poisoned envelope fails alone. A batch that fails is halved down to it;
//     after attemptsMax it is parked, which is logged as an error and counted.
//   - A receiver that is out costs its backlog nothing: after a busy answer, or
//     failuresMax failures in a row, its circuit breaker is open and allows one
//     piece of work at a time until one succeeds; the rest waits untouched. Bills
//     and batches have one receiver and share its breaker.
//   - Everything is bounded: batches, calls in flight, every call, every wait.
//
// Not guaranteed:
//
//   - Exactly once. A relay that dies between the provider's answer and its
//     record asks again; the provider, the books and a webhook's receiver each
//     recognise a repeat by the number, the row or the id it carries.
//   - Order between envelopes, and order of transfers, which are independent.
//   - That a fact is delivered alone: a receiver that was away is notified of
//     several shares at once.
//   - That payouts in one batch are independent. The provider refuses one payee
//     without the others; a batch that it takes for a mistake is stuck as a whole,
//     asked for again and again, until the cause is gone or two people dissolve it.
//   - That a callback about a batch is recorded when it has been answered: it is in
//     memory, and one that is lost with the process is asked for again.
//   - Expiry, reconciliation and the removal of rows that are done. Those are
//     jobs of the closed day and of the lanes.
package relay
