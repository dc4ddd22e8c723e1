// Package states is the states of charges, refunds, payouts and batches, and the
// reasons of payouts that failed, in the provider's words.
//
// Guaranteed: they are spelled as the real provider spells them.
//
// Not guaranteed: which state may follow which is the ledger's to say.
package states
