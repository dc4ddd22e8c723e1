// Package lies decides when the simulated provider does not do, or does not say,
// what a provider should: calls without an answer, answers without a signature,
// notifications that come twice, late or forged, payouts that are refused, money
// that moves two times.
//
// Guaranteed: rules go before rates and hit what they name a number of times. The
// dice roll only for rates that are set, so that the same seed with the same calls
// in the same order tells the same lies. Every lie that was told is counted.
//
// Not guaranteed: nothing is kept on disk. A new life of the process is honest.
package lies
