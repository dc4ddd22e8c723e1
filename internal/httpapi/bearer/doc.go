// Package bearer is identity: tokens (JWT, RFC 7519) under registered keys, and
// the caller and scopes that one speaks for.
//
// Guaranteed here:
//
//   - A token is accepted under the algorithm of the key its kid names, and under
//     no other (FS27).
//   - It is refused at and after its exp, to the instant, whether or not it was
//     seen before; a token without exp is refused.
//   - Claims are read exactly: names and types of the standard, each once, times in
//     whole seconds. Life and audience are held to the key's rules.
//   - A verified token is remembered within two bounds, entries and bytes; a
//     refused one is not. A repeat allocates nothing.
//   - An [Error] names the rule that was broken and nothing of the credential.
//
// Not guaranteed here:
//
//   - No revocation: a key is withdrawn by [Authenticator.Replace], a single token
//     not at all.
//   - No quota per user.
package bearer
