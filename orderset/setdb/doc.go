// Package setdb is the database of one SET: the one way in which its rows are read
// and written, under one primary's reign at a time. [DB.Promote] gives it another
// primary while requests run. It knows tables and rows, and no business.
//
// Guaranteed:
//
//   - Every write names the reign it belongs to. A transaction takes its reign at its
//     beginning, and COMMIT is not sent once that reign was replaced: it is rolled
//     back with [ErrFenced].
//   - When Promote has returned nil, nothing that this process sends commits on the
//     old primary any more: every COMMIT that was on its way has been answered, or its
//     connection is closed and the answer unknown.
//   - A transaction has the three answers of [mariadb.Tx].
//   - A server is used only once it was found fit: its settings, which SET it says it
//     is, its columns.
//   - Reigns only go up. Promote to an unfit or a silent server changes nothing.
//
// Not guaranteed:
//
//   - That other processes follow: each is told of the new primary by itself. What
//     keeps the old one from being written to is its read_only, not this type.
//   - That a COMMIT whose answer was lost did not take effect on the old primary. The
//     same transaction, run again, finds what the new one has of it.
//   - Freshness of reads outside a lock: one that began before a promotion may answer
//     from the old primary.
package setdb
