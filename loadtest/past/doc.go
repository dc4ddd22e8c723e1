// Package past makes envelopes that were sent, opened and settled before a
// measurement: rows to fill tables with.
//
// # Guaranteed
//
//   - The n-th envelope of a configuration is always the same, and draws, amounts,
//     times and states pass every audit.
//   - Nothing is pending: settled envelopes are paid out, active ones have not been
//     opened.
//   - IDs carry a machine number of the caller's choice: with one that no SET
//     grants they meet no minted ID.
//
// # Not guaranteed
//
// No provider has seen their payments: what is filled is for an environment that
// is thrown away. Two pasts of one machine number meet when their seeds are equal
// modulo 1024; unique keys then refuse the second.
package past
