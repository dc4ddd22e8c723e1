// Package decision is where people decide about transfers of a SET: what was refused
// for good, what is stuck, what the provider disputes, and payouts that their payees
// did not confirm. One method is one transaction.
//
// Guaranteed:
//
//   - FH13: what is held goes on when two people decide it: one proposes, another one
//     approves exactly what was proposed. A payee that asks for its own payout again
//     needs no second person.
//   - I7: the next round of a transfer has a number of its own, and begins only when the
//     earlier number is closed at the provider.
//   - I8: every round after the first is begun by a decision that is kept.
//   - A transfer that is disputed does not go on before the dispute is settled or
//     dismissed.
//
// Not guaranteed: that a list shows what a later approval meets. Approvals read under
// the row's lock, and refuse what has changed.
package decision
