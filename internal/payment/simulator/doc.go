// Package simulator is a payment provider for the playground, the drills and the
// load test: WeChat Pay's APIv3 on the wire, a wallet's pay button, and books of
// its own. It runs as its own process, knows nothing of envelopes, and shares
// with the client only the signature and encryption of the protocol.
//
//	POST /v3/pay/transactions/native                signed   place a charge
//	GET  /v3/pay/transactions/out-trade-no/{no}     signed   what became of it
//	GET  /pay/{token}                               the page behind a code_url
//	POST /pay/{token}                               pay, as the payer's wallet would
//	GET  /ledger                                    every order, for outside checkers
//	GET  /healthz
//
// Guaranteed:
//
//   - What it has answered is on disk: placed and paid are fsynced before anyone
//     hears of them, and before anyone can read them, so kill -9 loses nothing
//     that was said. Concurrent writers share one fsync.
//   - An order is paid at most once, whatever is repeated or raced.
//   - A payment's notification is sent until the merchant takes it with 200 or
//     204, across restarts, and not again after that; the schedule says when it
//     gives up for the life of the process.
//   - Every answer under /v3/ is signed, refusals too; badly signed requests get 401.
//
// Not guaranteed: that a merchant hears of a payment exactly once (a crash
// between its 200 and our note of it sends again), any order among notifications, and
// anything of the real provider that is not listed above: no refunds, payouts or bills, one
// merchant, and a wallet that never runs dry. Whoever has a code_url may pay it.
package simulator
