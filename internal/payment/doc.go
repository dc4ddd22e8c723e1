// Package payment moves money through WeChat Pay APIv3. [Client] is the
// [envelope.Provider] and the [envelope.Cashier] of the service: it places
// charges, asks what became of them and closes them, pays shares out one by one
// or in batches, refunds what is left, reads the provider's notifications, and
// fetches its bills.
//
// Guaranteed:
//
//   - A charge has one number for ever, the order ID, a transfer has the one that
//     [envelope.TransferNo] gives it, and a batch of payouts its own (I7). Every
//     attempt of every call about it carries that number, so the provider sees
//     repeats; a batch is placed with the same bytes every time.
//   - No answer or notification is acted on before its signature verifies under
//     a known key, over the raw bytes, within five minutes. That holds for
//     errors as for successes: an answer that does not verify is an unknown
//     outcome, and so is an unknown code or state.
//   - A call that moves money is sent once. Silence, an outage that may have
//     followed its execution, and an answer about another number, amount, payee or
//     merchant are unknown outcomes; only a connection that never came about is
//     an outage. A refusal is believed after the number itself was looked up.
//   - A [envelope.Payment] that leaves this package names our merchant, our app,
//     CNY and a positive amount, and its number is an order ID; a
//     [envelope.TransferStatus] of a notification names our merchant and a number
//     of ours. Whether the amount is right is the row's to say.
//   - A batch is done when every payout in it is accounted for: numbers and sums
//     agree with what was placed, and each payout that failed is one of the batch
//     and has been asked about by itself. A batch that was closed is no exception.
//   - Bills are checked against the signed hash, and against their own sums
//     (package bill).
//   - Every call is bounded: attemptsMax attempts, each within Config.Timeout,
//     each answer within answerBytesMax; a bill by billTimeMax, billBytesMax and
//     the bounds of package bill. [Client.QueryBatch] makes a call more for every failuresPageMax
//     payouts that failed and one for each of them, reasonsAtOnceMax at once.
//   - Several platform keys are good at once, by their serials. A new key of
//     ours comes with its own serial.
//   - No secret is printed: keys are redacted in fmt, slog and JSON.
//
// Not guaranteed:
//
//   - That a notification arrives, or arrives once, or arrives in order. Polling
//     [Client.QueryCharge] and [Client.Query] is what decides; a repeat is for the
//     caller to absorb. Notifications that came before are not remembered here: a
//     memory that spared the caller a repeat would also swallow the resend of one
//     that the caller could not store, and what it would save of a flood is less
//     than a tenth of a millisecond each (BenchmarkParseNotice). Forged ones get
//     as far as one RSA verification.
//   - That an answer belongs to its request. APIv3 signs an answer alone; TLS
//     binds it to the connection. Where the body names the order, it is compared.
//   - That the payee takes the money: a payout waits for the payee's confirmation,
//     and the provider gives it up after a day.
//   - Payees by name. The provider wants the encrypted name from 2,000 CNY on,
//     and payouts are refused here from there on; a share is at most 200 CNY.
//   - Payees without an openid: user IDs are taken for openids, unless
//     Config.OpenID says otherwise.
//   - Answers about payouts older than a month: the provider forgets them.
//   - That the payouts of a batch fare alike, or that one which can not be placed
//     leaves the others alone: the provider refuses the request as a whole, and so
//     does [Client.PlaceBatch].
package payment
