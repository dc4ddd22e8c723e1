// Package mariadb is the kit of everything here that talks to a MySQL or MariaDB
// server: how connections are made and guarded, how a transaction runs and ends, how
// rows are read, and what an error of the server means: lost a race, run it again;
// cannot serve now, come back; COMMIT had no effect.
//
// Guaranteed:
//
//   - A transaction has three answers: committed (nil), [ErrCommitUnknown] when COMMIT
//     was sent and its answer was lost, and [ErrNotCommitted] with the reason. After
//     any error its connection is rolled back and closed, never used again.
//   - An error is recognized however it was wrapped or joined, and by its number,
//     never by its text.
//   - What is not recognized has no meaning here: every function says no to it,
//     to nil and to [context.Canceled].
//   - [CommitRefused] says yes only when the server itself said that there was no
//     commit. Silence, a shutdown and a killed thread leave it open.
//
// Not guaranteed:
//
//   - That a statement whose server did not answer had no effect: [Unavailable]
//     says that time has to pass, not what was done.
//   - That the session is still in its transaction after an error. A deadlock has
//     rolled it back whole, a lock wait only its last statement.
//   - Whose deadline has passed. The caller's own looks like that of the server.
package mariadb
