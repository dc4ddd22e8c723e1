// Package intake is the public listener below net/http: how many connections it
// keeps, how many requests it reads at once, and what it saw of a request that
// net/http does not say.
//
// Guaranteed here:
//
//   - Open connections are bounded, and so are those of one client address: more
//     of one address are closed at once, the rest waits in the kernel's backlog.
//   - Requests being read are bounded, and only bytes that arrive hold one of the
//     permits: a client that is slow, or never reads, holds none.
//   - A connection that was opened ahead of need may be quiet for as long as a
//     kept one; from its first byte on, a request has its time.
//   - What net/http refuses by itself is answered with the bytes of the
//     configuration for that status.
//   - [Begin] says which framing headers the head of a request had, and whether it
//     was pipelined.
//
// Not guaranteed here:
//
//   - Of the head of a pipelined request nothing is known but that it was one.
//   - No bound on what a handler does: it holds a connection and no permit.
package intake
