// Package audit reads every book once and compares them: each SET's rows with
// themselves, users' books with the SETs', and a simulated provider's ledger with
// the orders.
//
// # Guaranteed
//
//   - It reads under the audit account, which may only SELECT, and trusts no stored
//     result: what can be recomputed is.
//   - A SET that does not answer hides no other. What takes all SETs is then not
//     compared, and the report says so.
//   - Every database is given a bounded time to answer at all.
//
// # Not guaranteed
//
// The books are read one after another. On a service that runs, one of them is a
// moment older: [Report.Keep] leaves of what differs what two looks have in common.
package audit
