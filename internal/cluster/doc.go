// Package cluster runs private mariadbd and memcached servers as child
// processes: for tests, for the playground, for drills. The daemon never links
// it, because what can start a database here can also kill one. Package playground
// runs a whole deployment of such processes, with their settings, and restarts
// those that die; this package knows one server at a time.
//
// # Guaranteed
//
//   - Nothing outlives its parent. Every child is sent SIGTERM by the kernel
//     when the process that started it ends, even by kill -9, and even when
//     the child is frozen.
//   - Nothing outside the directories that were asked for is written, except a
//     short-lived directory for a socket whose own path would be too long.
//     Every server listens on 127.0.0.1 only.
//   - A data directory is either whole or absent: a first start that is
//     interrupted leaves nothing that a second start would mistake for data.
//   - One server per directory: a second one waits for the first to be gone, a
//     bounded time.
//   - What mariadbd acknowledged is in its log on disk and survives kill -9.
//     Every setting this rests on is passed by us; no file of /etc is read.
//   - Every wait has a bound (StartMax, StopMax, KillMax, FreezeMax), and a
//     server that ends early is reported with the end of its own log.
//
// # Not guaranteed
//
//   - It is not a supervisor: a server that dies stays dead until someone
//     starts it. Which role it may then have is a decision for an arbiter.
//   - A child that forks is on its own: signals go to the child, not to what
//     it started.
//   - A port found free by FreePorts can be taken before it is used.
//   - One mariadbd is one copy of the data.
//
// Linux only: the promise about parents is the kernel's.
package cluster
