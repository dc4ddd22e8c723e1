// Package fakeservice answers the API from memory, so that a crowd of callers is
// tested without the service that it is for.
//
// # Guaranteed
//
//   - Outcomes and draws are those of package envelope, one open at a time.
//   - Users' tokens are their names, and every ticket is "ticket".
//   - Lies change what an opener is answered and never what is shown.
//
// # Not guaranteed
//
// Nothing is durable, limited, expired or paid out, and what the HTTP contract
// says beyond the crowd's calls is not served.
package fakeservice
