// Package refusal is how the provider says no: a status, a code, a message and, of
// a wrong parameter, where it stands and what it should be.
//
// Guaranteed: a refusal names the field by its JSON pointer, repeats at most
// valueBytesMax bytes of what stood there, and says nothing of the types that read
// it. An error that is no [Refusal] becomes the provider's SYSTEM_ERROR, which a
// client has to take for an unknown outcome.
//
// Not guaranteed: that the real provider words it the same. Codes are its own,
// messages may differ.
package refusal
