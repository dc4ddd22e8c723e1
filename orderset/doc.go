// Package orderset knows where orders live. A SET is one primary database, its
// replicas, the order servers stuck to it and the memcached beside them; SETs
// share nothing and fail alone. An order ID is a full address, so an ID becomes
// a transaction here: [Router] finds the SET, [DayTable] the tables, and one
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
//   - After any error inside a transaction the transaction is rolled back and its
//     connection is closed, never reused.
//   - A body is minted only inside the lease of its machine number, so no two
//     processes ever mint the same, whatever their clocks say. A clock that steps
//     back stops minting, not the process.
//   - An ID with an unknown SET or an impossible day is refused without a query.
//
// Not guaranteed: fairness between order servers (FIFO is the lane's, within one
// server), freshness of anything read outside a lock, and a repeat of a send
// finding its first envelope while the SET that holds it is down: then a second
// unpaid envelope is made, and the first closes unpaid.
package orderset
