// Package books keeps users' books: what each of them sent and received, a year
// at a time, with sums. The books live in databases of their own, sharded by
// user, and follow the SETs with a delay: nothing here is asked about money.
//
// A user lives in one shard, whose number is a frozen hash of the user modulo
// the number of shards. A year is that of the business day on which the share
// was opened, or the envelope paid.
//
// Guaranteed:
//
//   - [Books.Post] writes each fact once, however often and by however many it is
//     posted. The sums of a user's year change in the transaction that writes the
//     rows they add up, under a lock that makes such transactions serial.
//   - A commit whose answer was lost is repeated and finds its own rows.
//   - A shard that is down fails the posts and the reads that need it, and no
//     other.
//   - A database that is not the shard its place in the list says is never read
//     or written.
//   - A list goes newest first, without a gap and without a repeat among the rows
//     that were there when it began.
//
// Not guaranteed:
//
//   - The number of shards is fixed for a deployment. Another number sends users
//     to other shards than the one that has their rows; every database is marked
//     with the number, and another one is refused.
//   - A post that fails may have written some of its rows, and whole shards. Post
//     it again.
//   - Freshness, and the order in which rows arrive: one that is posted late takes
//     its place in the list, where a reader that has passed it does not see it.
//   - A row that contradicts the fact it was written from is not corrected here;
//     [Auditor] finds it.
package books
