// Package payment takes the payer's money through WeChat Pay APIv3. [Client]
// is the [envelope.Provider] of the service: it places charges, asks what
// became of them, and reads the provider's notifications.
//
// Guaranteed:
//
//   - A charge has one number for ever, the order ID (I7). Every attempt of
//     every call about it carries that number, so the provider sees repeats.
//   - Nothing the provider says is believed before its signature verifies under
//     a known key, over the raw bytes, within five minutes. That holds for
//     errors as for successes: an answer that does not verify is an unknown
//     outcome, and so is a code this package has never heard of.
//   - A [envelope.Payment] that leaves this package names our merchant, our app,
//     CNY and a positive amount, and its number is an order ID. Whether it is the
//     amount that was asked for is the envelope's row to say.
//   - Every call is bounded: attemptsMax attempts, each within Config.Timeout,
//     each answer within answerBytesMax.
//   - No secret is printed: keys are redacted in fmt, slog and JSON.
//
// Not guaranteed:
//
//   - That a notification arrives, or arrives once, or arrives in order. Polling
//     [Client.QueryCharge] is what decides; a repeat is for the caller to absorb.
//   - That an answer belongs to its request. APIv3 signs an answer alone; TLS
//     binds it to the connection. Where the body names the order, it is compared.
//   - Anything about refunds and payouts.
package payment
