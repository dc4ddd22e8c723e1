// Package worker is the background work of one SET: what was committed is carried
// out, day tables are made ahead of their day, lives end, payouts that are never
// confirmed go back, and rows that have been carried out are deleted. It also routes
// the payment provider's notifications to the SET that they are about.
//
// Guaranteed: a [Worker] is a bulkhead and shares nothing with another SET's; one
// that fails or hangs holds up no other. Work is found by its state in the database,
// so a worker that starts anywhere goes on where another one stopped, and several at
// once do no harm. After Close no goroutine and no connection of its own is left; what
// was begun is finished within its own bounds.
//
// Not guaranteed: when. A notification is recorded at the latest when the provider
// repeats it or is asked.
package worker
