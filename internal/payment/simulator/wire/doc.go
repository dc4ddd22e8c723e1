// Package wire is the documents of the provider's protocol: what a merchant's
// requests say and what they are held to ([Rules]), and what answers and
// notifications say.
//
// Guaranteed: a request that passes has every field the real provider asks for,
// within its bounds; one that does not is refused by the JSON pointer of the field.
// What a request says besides is not looked at. Times are in UTC+08:00, amounts in
// whole fen.
//
// Not guaranteed: what the book knows is not asked here. Whether a number was used,
// or a charge can be refunded, the ledger says.
package wire
