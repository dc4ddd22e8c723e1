// Package layout knows where the rows of an envelope are inside a SET, and how they
// are read: day tables, headers, shares, transfers. It decides nothing.
//
// This package and the statement files of its neighbours are the only places where
// SQL text is put together. What goes into the text is of four kinds only: table names
// made by schema from checked integers, integers, order IDs that ParseID or Body.In
// made (23 digits) with the transfer numbers made of them, and strings through
// [Text.Quoted]. Everything else is a placeholder.
//
// Guaranteed:
//
//   - An ID names its tables without a query.
//   - Every function that goes through several tables or rows does so in one order,
//     which is that in which transactions lock: tables by digit and day, rows by ID.
//
// Not guaranteed:
//
//   - That what was read is one snapshot, or still true: locks are the caller's.
package layout
