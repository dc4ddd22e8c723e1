// Package upkeep makes the day tables of a SET ahead of the day, and deletes rows that
// are carried out and old. It works under an account and in a pool of its own: no
// request ever runs under it.
//
// Guaranteed:
//
//   - A day that exists is left as it is, with its rows.
//   - What is deleted can never owe anything again: outbox rows that were spread, and
//     deliveries that have told all there is about envelopes whose life is over.
//   - Deletions are small transactions with pauses between them.
//
// Not guaranteed: that two processes do not do the same at once. Both then find less.
package upkeep
