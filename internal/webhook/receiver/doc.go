// Package receiver stands in for the IM backend in a playground: it takes the
// events that the service sends, verifies them as any receiver would, and shows
// them to people at / and to scripts at /events.
//
// Guaranteed:
//
//   - Only what verifies under the secret, within five minutes of its signing, is
//     kept; everything else is 400 and counted.
//   - A repeat, known by its webhook-id, is answered as the first one was and
//     counted instead of listed again, while the first one is kept.
//   - Every event that breaks the order of its envelope's life (active, shares
//     without a gap, finished, refunded) is counted, for the last 100,000
//     envelopes; and so is every fact, once however often it is sent.
//
// Not guaranteed: anything after the process ends, or beyond the last 200
// events. A reader of the page has the tickets that are in it: listen on
// loopback.
package receiver
