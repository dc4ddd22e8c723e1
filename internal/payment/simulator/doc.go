// Package simulator is a payment provider for the playground, the drills and the
// load test: WeChat Pay's APIv3 on the wire, a wallet's buttons, and books of its
// own. It runs as its own process, knows nothing of envelopes, and shares with
// the client only the signature and encryption of the protocol. On request it
// lies, as real providers do.
//
// Signed requests and signed answers, as the provider's own SDKs make them: what
// a body has besides what is read here is not looked at, what it may leave out may
// be absent, and a refusal says in detail which field it is about. Every answer has
// a Request-ID.
//
//	POST /v3/pay/transactions/native                        place a charge
//	GET  /v3/pay/transactions/out-trade-no/{no}?mchid=      what became of it; or …/transactions/id/{transaction_id}?mchid=
//	POST /v3/pay/transactions/out-trade-no/{no}/close       it can not be paid any more; 204
//	POST /v3/refund/domestic/refunds                        refund some or all of a charge, by either number
//	GET  /v3/refund/domestic/refunds/{no}                   what became of it
//	POST /v3/fund-app/mch-transfer/transfer-bills           pay out
//	GET  …/transfer-bills/out-bill-no/{no}                  what became of it; or …/transfer-bill-no/{transfer_bill_no}
//	POST …/transfer-bills/out-bill-no/{no}/cancel           take it back, while it is up to the payee
//	POST /v3/transfer/batches                               pay out up to 1000 at once
//	GET  …/batches/out-batch-no/{no}?need_query_detail&…    what became of them, 20 to 100 a page; or …/batch-id/{batch_id}
//	GET  …/out-batch-no/{no}/details/out-detail-no/{detail} what became of one, and why it failed; or …/details/detail-id/{detail_id}
//	GET  /v3/certificates                                   the platform's certificate, sealed under the APIv3 key
//	GET  /v3/bill/tradebill?bill_date&bill_type&tar_type    charges and refunds of a day
//	GET  /v3/bill/fundflowbill?bill_date&account_type&…     those and payouts, with the balance
//	GET  /v3/billdownload/file?token                        a bill's file; this answer is not signed
//
// The wallet, open to anyone with the address (code_url, package_info), a page for
// browsers and JSON for programs:
//
//	GET, POST /pay/{token}        pay a charge
//	GET, POST /confirm/{token}    accept a payout
//
// Tools, unsigned; those under /simulator/ answer on loopback only:
//
//	GET /simulator/ledger?after=ID&limit=N   {"movements": [{id, at, kind, no, provider_no, amount_fen, party}]}
//	GET /simulator/totals                    {"charge": {count, fen}, "refund": …, "payout": …}
//	POST /simulator/refunds/{no}/finish?end=SUCCESS  what the merchant does about an ABNORMAL refund; or CLOSED
//	GET, PUT, DELETE /simulator/lies         what to lie about, and how often it was told
//	GET /ledger                              every charge, one JSON object a line
//	GET /healthz
//
// A movement is money that moved: kind charge, refund or payout, no the
// merchant's number. IDs are 1, 2, 3 … in the order of execution; a page is
// followed by the page after its last ID (limit 1 to 10000, default 1000).
//
// Lies are one document, replaced whole by PUT. Rules go first and hit what they
// name a number of times; rates are probabilities, and the same seed with the
// same calls in the same order tells the same lies. lie.go lists them.
//
//	{"seed": 7, "rates": {"timeout_after": 0.01}, "later_ms": 1000, "late_ms": 1000, "copies": 2,
//	 "rules": [{"lie": "twice", "kind": "payout", "no": "…", "no_prefix": "…", "party": "…", "times": 1, "later_ms": 50}]}
//
// Guaranteed:
//
//   - What it has answered is on disk: whatever was placed, paid, accepted and
//     moved is fsynced before it is answered, and before it can be read, so
//     kill -9 loses nothing that was said and moves nothing twice. Concurrent
//     writers share one fsync.
//   - A number stands for one thing for ever: a repeat with the same terms is the
//     same charge, refund, payout or batch; with other terms it is refused. Money
//     moves at most once under one number, and once under that of a batch and of a
//     detail in it, unless the lie "twice" is told. A charge's refunds never exceed
//     it.
//   - All of a batch ends at once: one line of the ledger file has every detail
//     that failed, and why; the others are movements.
//   - The end of a charge, refund, payout or batch is notified until the merchant
//     takes it with 200 or 204, across restarts, and not again after that; the
//     schedule says when it gives up for the life of the process.
//   - Every answer under /v3/ is signed but a bill's file and an outage, refusals
//     too; badly signed requests get 401.
//   - An answer is signed under the serial that the request names, the public key's
//     or its certificate's; one that names none under the public key's, until
//     certificates are asked for. Notifications are signed under Config.PlatformSerial.
//   - It lies only as told, only to the merchant whose signature verifies and to
//     the merchant's callback address, and forgets to lie when it restarts.
//
// Not guaranteed: that a merchant is notified exactly once (a crash between its 200
// and our note of it sends again), any order among notifications, and anything
// of the real provider that is not listed above. One merchant, whose account
// never runs dry; one wallet for all payers; an address is all that its use takes.
// A detail's number is unique in its batch only, as with the real provider, and
// the payees of a batch are not asked to confirm. Bills are made from the
// movements, so a refund is in them once it moved, where the real bill has it from
// its acceptance on; charges and refunds flow through the account BASIC.
package simulator
