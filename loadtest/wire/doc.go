// Package wire is one keep-alive HTTP/1.1 connection that costs its machine little:
// requests are rendered before the run, and one parser made for small answers
// reads the responses.
//
// # Guaranteed
//
//   - One request is in flight at a time, and its deadline bounds the wait.
//   - [ErrUnreached] means that the server has not seen a byte of the request.
//     After every other error the outcome of the request is unknown.
//   - A connection that failed, or that the server closes, is not used again.
//   - A response is read as net/http reads it, or refused.
//
// # Not guaranteed
//
// Less of HTTP is read than there is: no chunked bodies, no interim responses, no
// TLS. Nothing is retried.
package wire
