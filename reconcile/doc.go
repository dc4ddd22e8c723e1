// Package reconcile compares books that must agree: SETs' orders with the
// payment provider's bills and with users' books. What is due by the clock is in
// package jobs below it.
package reconcile
