// Package ledger is what the simulated provider knows, and how it keeps it: a
// [Book] of charges, refunds, payouts, batches and the money they moved, and a
// [Journal] that makes changes to it durable in a file, one JSON object a line.
//
// Guaranteed:
//
//   - What can be read is on disk: a change is applied and fsynced under one lock,
//     and answered afterwards. Concurrent changes share one fsync, up to batchMax.
//   - A file is read back to the same book, whatever the byte its writer was killed
//     at; a file that does not add up is refused, by its line.
//   - A number stands for one thing for ever: a repeat with the same terms changes
//     nothing, one with other terms is refused.
//   - States move along the arrows only. Money moves at most once under a number,
//     unless a record says Twice; refunds of a charge never exceed it.
//   - Movements have the IDs 1, 2, 3 … in the order of execution, and follow from
//     records alone.
//   - One process at a time has the file.
//
// Not guaranteed:
//
//   - After a failed write or fsync nothing is readable any more: what is on disk is
//     not known, and the process has to start again.
//   - No removal: the file and the book grow for the life of the simulator, up to
//     ordersMax of each kind and detailsMax payouts in batches.
package ledger
