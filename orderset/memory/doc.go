// Package memory is what one order server remembers of a SET's envelopes: lately used
// ones in the process, finished ones in memcached. It gives speed only.
//
// Guaranteed:
//
//   - What it says for certain no later commit can change: a share that is held, an
//     envelope that is finished.
//   - Everything else it says is a guess, which the header's ver confirms or denies when
//     it is written. So forgetting is always safe.
//   - A memory belongs to one reign: a promotion begins an empty one.
//   - What is in memcached is sealed with the draw key: a foreign or damaged value is no
//     entry.
//
// Not guaranteed: that anything is remembered. Both are bounded, and memcached may be
// gone.
package memory
