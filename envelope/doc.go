// Package envelope is the domain: what a red envelope is, how much each opener gets,
// and what may happen to it next. It is pure: the standard library only, no
// SQL, no HTTP, no clock and no randomness of its own. Time and seed are
// parameters.
//
// The package decides, the package orderset commits. A transaction locks the
// rows, asks [Decide] what a batch of openers gets, and persists exactly that.
//
// Guaranteed here, for every input that [Limits.Check] accepts:
//
//   - I1: opened + refunded + remaining = paid, after every decision.
//   - I2: a user with a share is answered with that share, for ever.
//   - I4: shares are numbered 1..n without gaps, in the order the openers came.
//   - I5: a share is at least the envelope's ShareMin and at most its ShareMax; while
//     m shares are left at least m times ShareMin is left; the last takes the rest.
//   - I8: states move only along the arrows of [State.CanBecome].
//   - A lucky share is a pure function of (seed, position, rest): it can be
//     recomputed from the seed, and not predicted without the draw key.
//
// Not guaranteed here: durability, uniqueness across concurrent transactions
// and exactly-once money. Those are the row lock, the unique keys and the CHECKs
// of the database, held by orderset and schema.
package envelope
