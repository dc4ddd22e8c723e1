// Package audit reads every row of one SET and holds it to the invariants. It shares
// no decision with the code that wrote the rows.
//
// Guaranteed:
//
//   - No column is trusted that can be recomputed: sums, counts, positions, and with
//     the draw key every amount.
//   - What is reported was wrong at one moment: rows that seem to contradict each other
//     are read again from one snapshot, so others may go on writing.
//   - It only reads, as an account that may do nothing else.
//
// Not guaranteed:
//
//   - That more than a thousand violations are listed: that many are as bad as more.
//   - That [Auditor.Walk], [Auditor.Batches] and [Auditor.Disputes] are one snapshot:
//     nothing should be writing meanwhile.
package audit
