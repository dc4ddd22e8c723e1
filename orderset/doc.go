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
//     that names it. What is owed for the move follows from the envelope's rows:
//     [Set.Spread] makes the transfers of new shares and the deliveries to those
//     who follow, each once, however many spread at a time. Rows are found by
//     their state, so none is skipped.
//   - I6: the end of an envelope's life, its refund's transfer and its outbox row
//     are one transaction under the row lock, by the database's clock.
//   - I7, I8: a transfer is a row with one key and one number. What is posted stays
//     so; what is held goes on when two people decide it, under a new number. A
//     word of the provider that contradicts either is kept and changes nothing.
//   - I7: what is in a batch of payouts is decided by the transaction that makes its
//     transfers, and stays so until the provider has said what became of each. Of
//     two spreaders that name a batch alike, the second decides anew.
//   - An envelope is settled in the transaction that posts its last transfer.
//   - After any error inside a transaction the transaction is rolled back and its
//     connection is closed, never reused.
//   - A body is minted only inside the lease of its machine number, so no two
//     processes ever mint the same, whatever their clocks say. A clock that steps
//     back stops minting, not the process.
//   - An ID with an unknown SET or an impossible day is refused without a query.
//
// Not guaranteed: that what is claimed is carried out by one relay alone (a lease
// ends while its holder is slow; numbers and cursors make a second time harmless),
// fairness between order servers (FIFO is the lane's, within one server), freshness
// of anything read outside a lock, and a send while two homes of its key are down: it
// is refused until one is back.
package orderset
