// Package mariadb knows what an error of the database means for whoever asked:
// lost a race, run it again; cannot serve now, come back; COMMIT had no effect.
// What is then done about it is the asker's business.
//
// Guaranteed:
//
//   - An error is recognized however it was wrapped or joined, and by its number,
//     never by its words.
//   - What is not recognized has no meaning here: every function says no to it,
//     to nil and to [context.Canceled].
//   - [CommitRefused] says yes only when the server itself said that there was no
//     commit. Silence, a shutdown and a killed thread leave it open.
//
// Not guaranteed:
//
//   - That a statement whose server was not heard had no effect: [Unavailable]
//     tells that time has to pass, not what was done.
//   - That the session is still in its transaction. A deadlock has rolled it back
//     whole, a lock wait only its last statement: throw the connection away.
//   - Whose deadline has passed. The caller's own looks like that of the server.
package mariadb
