// Package sendkey keeps the records of idempotency keys in a database: in a SET, and
// in the shard of the books that is a third home beside two SETs. The table is the
// same in both.
//
// Guaranteed:
//
//   - A key has one record in one database, by its primary key: the first claim wins
//     and every later one gets the first one's record.
//   - A claim is one statement, committed by itself. When its answer is lost, another
//     claim finds what became of it.
//
// Not guaranteed:
//
//   - That two homes of a key agree. Which of them decides is the caller's business.
//   - What an error means: errors are the database's, except [envelope.ErrNotFound].
package sendkey
