// Package webhook tells the IM backend what happens to envelopes. [Sender]
// posts one event a fact, signed as Standard Webhooks 1.0 has it, so that any
// of its libraries verifies them.
//
// An event is a POST of
//
//	{"type": "share.opened", "timestamp": when it happened, "data": {…}}
//
// with the headers webhook-id, webhook-timestamp (of this attempt, Unix seconds)
// and webhook-signature. Times are RFC 3339 in UTC with milliseconds, money is
// fen. The data by type:
//
//	envelope.active    envelope_id group_id sender_id kind count total_fen greeting expires_at ticket, recipient_id of an exclusive one
//	share.opened       envelope_id group_id count opened_count shares[user_id amount_fen seq opened_at]
//	envelope.finished  envelope_id group_id state count opened_count opened_fen finished_at, best_luck{user_id amount_fen seq} where there is one
//	envelope.refunded  envelope_id group_id sender_id refunded_fen refunded_at
//
// Guaranteed:
//
//   - The same fact is the same webhook-id and the same bytes, however often and
//     however late it is sent; only the attempt's time and signature are new, and
//     the ticket when its key has changed. An ID is the order ID and what
//     happened: …-active, …-opened-1-3 for positions 1 to 3, …-finished,
//     …-refunded.
//   - Every event is signed under every configured secret, so a receiver may
//     change over at any time while two are configured.
//   - A fact of 500 shares fits into BodyBytesMax. What does not fit is an error
//     and is not sent.
//   - No connection is made to an address that is not public, whatever the name
//     resolves to at that moment; redirects and proxies are not followed. Of the
//     addresses inside the house Config.AllowPrivate allows loopback, private and
//     shared ones, and plain http to those alone. Link-local addresses, where
//     clouds keep their metadata, are never allowed.
//   - Every call is bounded by Config.Timeout, every answer by answerBytesMax, and
//     there are at most connsMax connections.
//   - No secret, no ticket, no path and no query of the URL is printed.
//
// Not guaranteed:
//
//   - Order, repetition until success, or telling only once: that is the relay's
//     part. A receiver knows a repeat by its webhook-id, and after an outage the
//     shares of two events may overlap; positions tell which ones are new.
//   - That an error means the event was not received: the answer may have been
//     lost.
//   - HTTP/2, client certificates, or endpoints behind NAT64.
package webhook
