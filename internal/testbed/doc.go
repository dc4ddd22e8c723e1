// Package testbed is a running environment as load tests use it: a playground, a
// drill, or one made by hand, found beside its settings file by [Find], or one
// started for a single measurement by [OnOwn]. It gives package measure and soak
// what these cannot know of a service: users' tokens, hongbaods in an open mode,
// backlogs, metrics, ceilings, and the books read whole.
//
// # Guaranteed
//
//   - A production environment is refused.
//   - Processes that are started here end with the measurement, and files that they
//     were started with are removed.
//   - What [OnOwn] started is thrown away after a measurement that passed, and kept
//     to be looked at after any other.
//   - Pauses that were set for another reason stay as they are.
//   - Every wait has a bound.
//
// # Not guaranteed
//
// On an environment that is in use, a measurement leaves its envelopes there, and
// whatever follows from them is carried out. Of processes on other machines nothing
// is known but their addresses, and so no CPU time.
package testbed
