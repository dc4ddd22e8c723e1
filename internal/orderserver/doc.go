// Package orderserver is the order server of one SET: what an open passes on its
// way to the SET's database, and what a send asks of it. Memory answers what can no
// longer change, the shedder refuses what the SET cannot take, the gate caps the
// processes and requests of one envelope, and a lane puts the opens of many callers
// into one transaction.
//
// Guaranteed: a [Server] is a bulkhead and shares nothing with another SET's. The
// requests of one envelope take effect in the order in which they entered its lane,
// the end of its life among them (I6). A refusal is an [envelope.BusyError] and took
// no effect; a request whose COMMIT has no answer is [envelope.ErrUnknownOutcome].
// Every wait has a bound. After Close no goroutine and no connection to memcached is
// left, and all that were admitted have an answer.
//
// Not guaranteed: correctness does not depend on any of it. The row lock and the
// unique keys of the SET decide the holder of a share; without memory, gate and lane the
// same answers come more slowly.
package orderserver
