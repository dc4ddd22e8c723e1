// Package reconcile keeps the calendar of the day tables. Every job is a
// runOnce that says what it did; cron only decides when, in schedule.go.
//
// Guaranteed: the tables of today and tomorrow exist in every SET that answers,
// made ahead of their day and never inside a request; a SET that does not answer
// holds up no other. Days are business days in UTC+08:00.
//
// Not guaranteed: a missed tick is not replayed. Each run looks at what should
// be there now, so a process that was down catches up with its next run.
package reconcile
