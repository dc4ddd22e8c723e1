// Package jobs does what is due by the clock: day tables are made ahead of
// their day, envelopes whose life is over are expired and what is left in them
// refunded, payouts that their payees never confirm go back to the sender, and
// rows that have been carried out are deleted. A [Job] is one value; [Run] only
// decides when.
//
// Guaranteed: the tables of today and tomorrow exist in every SET that answers,
// made ahead of their day and never inside a request. An envelope is expired
// through its lane, once, for exactly what is left (I6), seconds after its life
// is over; one that fell due while no process ran is found by its state. A SET
// that does not answer holds up no other. Runs of one job do not overlap in a
// process and each ends within its bound. Days are business days in UTC+08:00.
//
// Not guaranteed: a missed tick is not replayed. Each run looks at what should
// be there now, so a process that was down catches up with its next run. Two
// processes may run the same job at once; each job is idempotent.
package jobs
