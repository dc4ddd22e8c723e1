// Package owed is what follows from a SET's commits and is not carried out yet: the
// outbox, the transfers and deliveries that are made from it, the batches that payouts
// go in, and the record of what became of each. One method is one transaction.
//
// Guaranteed:
//
//   - C3, FG9: every transaction that moves an envelope commits an outbox row that names
//     it ([Enqueue]). What is owed for the move follows from the envelope's rows:
//     [Store.Spread] makes the transfers of new shares and the deliveries to every
//     receiver, each once, however many spread at a time. Rows are found by their
//     state, so none is skipped.
//   - I7, I8: a transfer is a row with one key and one number. What is posted stays so. A
//     status of the provider that contradicts it is kept as a dispute and changes
//     nothing.
//   - I7: what is in a batch of payouts is decided by the transaction that makes its
//     transfers, and stays so until the provider has said what became of each. Of
//     two spreaders that name a batch alike, the second decides anew.
//   - An envelope is settled in the transaction that posts its last transfer.
//
// Not guaranteed: that what is claimed is carried out by one relay alone. A lease ends
// while its holder is slow; numbers and cursors make a second time harmless.
package owed
