// Package dispatch carries out what is due: an [Agenda] of tasks, and on it the
// [Dispatch] of notifications, each until the merchant takes it or the schedule is at
// its end.
//
// Guaranteed: a bounded number of tasks runs at once, of notifications InFlightMax.
// A notification is sent again after each wait of the schedule and given up after
// the last. One that is held back goes when a later one was attempted, or when its
// time has come.
//
// Not guaranteed: nothing is kept on disk; what is left at the end of the process is
// found in the ledger by the next one. Notifications have no order.
package dispatch
