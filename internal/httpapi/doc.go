// Package httpapi is the service as HTTP sees it: the public API of version 1, and
// what the operator's listener shares with it: the table of problems and tokens. It turns requests into calls of a [Teller] and
// what the teller says into JSON; it decides nothing about money.
//
// Guaranteed here:
//
//   - The caller is the sub of a verified bearer token (package bearer), and nothing
//     else: no body, query or header names a user (FH5, FH14).
//   - An envelope that does not exist, one the caller may not know of and an ID
//     that cannot exist are answered by the same bytes (FH6).
//   - A body is JSON in the narrowest reading: exact member names, each at most
//     once, no null, whole numbers, valid UTF-8, nothing before or after (FH2).
//   - One table, in problem.go, maps errors to HTTP. What it does not know is an
//     opaque 500 with a request_id; the error itself goes to the log (FH15).
//   - openapi.json lists exactly the calls that are routed, and every code.
//   - Every body, header, wait, cache and number of connections has a bound, and
//     on shutdown what was admitted is answered within one (FA15).
//   - A client that is slow, or never reads, holds a connection until its time is
//     up and nothing else that others need (FS17; package intake).
//   - A path is spelled in one way, a body is framed in one way (FS28), and what
//     net/http refuses before there is a request is a problem like any other.
//
// Not guaranteed here:
//
//   - A request that is pipelined is answered, and the connection is closed after
//     the first answer: the rest has to be sent again.
//   - No TLS, no revocation of tokens and no quota per user: those belong to the
//     edge. A key is withdrawn by a reload without it.
//   - A client that lets an idle connection be closed under its next request gets
//     a connection error; the request was not admitted and may be repeated.
package httpapi
