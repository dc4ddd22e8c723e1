// Package schema holds the only DDL and the only grants: what the database of a
// SET, or of a shard of the users' books, contains, which account may do what in it, and how
// to tell that it is still so.
//
// A SET S lives in the database hb_S. It has control tables (set_info,
// machine_lease, send_key, payment; outbox, delivery, transfer and payout_batch for
// what is owed; decision, dispute and pause for people) and, for each day of the
// month, ten pairs of day tables, envelope_<digit>_<day> and share_<digit>_<day>.
// The SQL is in sql/, one file a table, in the subset that MySQL 8 and MariaDB
// 10.11 share; what goes into its braces are names made from checked integers (FH4).
//
// Shard N of the books lives in hb_books_N, on a server of its own or on a SET's.
// ApplyBooks and VerifyBooks do there what ApplySet and VerifySet do to a SET.
//
// # Guaranteed
//
//   - Everything may be repeated. ApplySet and MakeDayTables make what is
//     missing, bring passwords and grants up to date, and change no row.
//   - The tables themselves refuse money that does not add up: I1, I2 and I5
//     are unique keys and CHECKs, held for every writer. So is that a payment pays
//     for one envelope.
//   - The accounts hold the least they need. Serving can neither delete, nor
//     change a table, nor write to a server that is read_only: that makes
//     read_only a fence.
//   - A database is marked with its environment and its number on first use.
//     One that is marked otherwise is refused, and nothing in it is changed.
//   - DDL waits one second for others' locks and gives up (FC19).
//   - MariaDB and MySQL are told apart by asking the server. No password is sent to
//     either, only what it stores of one.
//   - CheckSet tells the account that serves whether the tables have the columns
//     that this binary works with.
//   - VerifySet finds each table, column, key, CHECK, trigger and grant that
//     differs from what this binary would make. What the accounts may do in other
//     databases of ours on the server is no difference.
//
// # Not guaranteed
//
//   - Nothing is migrated. A table that exists stays as it is, even if it is
//     not what this binary would make; VerifySet says so.
//   - ApplySet takes no grant away. VerifySet finds the ones that are too many.
//   - VerifySet compares neither the order of columns nor passwords, and reads
//     no order's row.
//   - An account that may only read can still lock: SELECT … FOR UPDATE takes no
//     other grant on MariaDB.
//   - Making a day's tables does not empty them. A cyclic day is free for reuse
//     when reconcile has moved its rows away.
package schema
