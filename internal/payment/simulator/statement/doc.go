// Package statement writes the provider's bills, which it calls statements: charges
// and refunds of a day, or every movement of an account, as CSV in the provider's
// form.
//
// Guaranteed: a statement says the same whenever it is written, because it tells of
// a prefix of the ledger. Its sums are those of its rows.
//
// Not guaranteed: a refund is in it once it moved, where the real bill has it from
// its acceptance on.
package statement
