// Package orderset knows where orders live. A SET is one primary database, its
// replicas, the order servers stuck to it and the memcached beside them; SETs
// share nothing and fail alone. An order ID is a full address, so an ID becomes
// a transaction here: [Router] finds the SET, [layout.DayTable] the tables, and one
// method is one transaction on them.
//
// Guaranteed:
//
//   - I2, I4, I5: a share is taken under the row lock of its envelope, with the
//     header's update guarded by ver and the share's insert by two unique keys.
//     Other order servers, stale memory and lost caches cost a retry, not money.
//   - A commit has three answers. Done and not done are reported as such; when
//     the connection is lost at COMMIT the rows are read again under the header's
//     lock, and only if that is impossible too the caller gets
//     [envelope.ErrUnknownOutcome].
//   - C3, FG9: every transaction that moves an envelope commits an outbox row
//     that names it; package owed makes from it what is to be carried out.
//   - I6: the end of an envelope's life, its refund's transfer and its outbox row
//     are one transaction under the row lock, by the database's clock.
//   - After any error inside a transaction the transaction is rolled back and its
//     connection is closed, never reused.
//   - A body is minted only inside the lease of its machine number, so no two
//     processes ever mint the same, whatever their clocks say. A clock that steps
//     back stops minting, not the process.
//   - An ID with an unknown SET or an impossible day is refused without a query.
//
// Not guaranteed: fairness between order servers (FIFO is the lane's, within one
// server), freshness of anything read outside a lock, and a send while two homes of
// its key are down: it is refused until one is back.
//
// The rooms beside it: setdb is one SET's database under one reign, layout where rows
// are in it, memory what a server remembers of envelopes, owed what follows from a
// commit, decision what people decide about it, audit the check of the books, upkeep
// day tables and purges.
package orderset
