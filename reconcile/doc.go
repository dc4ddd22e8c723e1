// Package reconcile does what is due by the clock: day tables are made ahead of
// their day, envelopes whose life is over are expired and what is left in them
// refunded, and rows that have been carried out are deleted. Every job is a
// runOnce that says what it did; cron only decides when, in schedule.go.
//
// Guaranteed: the tables of today and tomorrow exist in every SET that answers,
// made ahead of their day and never inside a request. An envelope is expired
// through its lane, once, for exactly what is left (I6), seconds after its life
// is over; one that fell due while nobody looked is found by its state. A SET
// that does not answer holds up no other. Days are business days in UTC+08:00.
//
// Not guaranteed: a missed tick is not replayed. Each run looks at what should
// be there now, so a process that was down catches up with its next run.
package reconcile
