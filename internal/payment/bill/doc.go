// Package bill reads the provider's bills: what payers paid on a business day and
// what went back ([ReadTrade]), and every movement of one account
// ([ReadFundFlow]).
//
// Guaranteed:
//
//   - A bill is read whole or not at all: its columns, its last two lines and its
//     sums must be there, and the sums agree with the rows.
//   - Amounts go from text to fen without a float in between.
//   - The format has no quotes, so text in a cell may look like several cells, or
//     like several lines. A row is taken when only one reading of it is possible;
//     otherwise it is an entry of kind [Unreadable], and the others are read (FS12).
//   - A line has at most lineBytesMax bytes, a row at most piecesMax pieces, a bill
//     at most rowsMax rows.
//
// Not guaranteed:
//
//   - That the bill is the provider's. Its hash says so, which is for the one that
//     downloads it to compare.
//   - That a row which names an order ID is about an order of ours.
package bill
