// Package faultproxy stands between a client and a MySQL server and injects the
// faults of a network: a statement or its answer that is lost, latency each way,
// a connection that is cut, a host that hangs. It reads the client's half of the
// protocol, so that a test or a drill can single out one statement.
//
// Guaranteed: a statement of [LostBefore] never reaches the server; one of
// [LostAfter] has been carried out when the client sees its connection end.
// Planned faults happen in the order in which they were planned, once each, and
// are counted. Close ends every connection and wait and leaves no goroutine.
//
// Not guaranteed: only text statements are recognized (COM_QUERY), by how they
// begin; prepared ones pass as they are. Packets of 16 MiB end the connection,
// and TLS between client and server hides every statement. Delays apply to what
// is read from a socket at once, which is a packet there and up to 64 KiB back.
package faultproxy
