// Package certificate makes the certificate of the simulated platform, for SDKs that
// verify with one instead of a public key.
//
// Guaranteed: it is of the platform's key, and its serial and dates are the same in
// every life of the process within a year.
//
// Not guaranteed: it is signed by itself; no chain leads to it.
package certificate
