// Package keyring turns the secrets of a deployment into what uses them: accounts of
// the databases, the draw key, tickets, tokens of callers and operators, the payment
// provider's client and the sender of events. It also asks the databases, with the
// accounts it has, whether they are as the settings say.
//
// Guaranteed: [Read] names every setting whose file is missing or no key, and not only
// the first. No secret is in an error.
//
// Not guaranteed: that a counterpart takes the keys. That is seen when it is first
// asked.
package keyring
