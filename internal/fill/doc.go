// Package fill writes rows that are inventions into a SET, so that it can be measured
// with full tables, and measures what its server takes at most.
//
// Guaranteed:
//
//   - Only a database that is marked as a playground or a drill is filled.
//   - A batch is one transaction: its envelopes are there whole or not at all.
//   - The ceiling is measured in transactions that are rolled back.
//
// Not guaranteed: that what is written holds any invariant beyond what the tables
// check. It is written as given; the audit judges it.
package fill
