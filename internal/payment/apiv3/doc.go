// Package apiv3 is the cryptography of WeChat Pay APIv3: how a merchant signs a
// request, how the provider signs answers and notifications, and how the content
// of a notification is sealed. It knows both sides, so that the service and the
// simulated provider speak the same.
//
// Guaranteed:
//
//   - A signature has one spelling: canonical base64, RSA PKCS #1 v1.5 over SHA-256
//     under a key of at least RSABitsMin bits.
//   - [Verifier.Verify] accepts a body only as its bytes came, under a key it knows
//     by serial, within [ClockSkewMax] of now (FF4); probes of the provider never.
//   - An [Authorization] holds for one request: method, target and body.
//   - A [Resource] opens under the key it was sealed under and no other; a nonce of
//     another length is an error and no panic.
//   - A [Secret] prints as a placeholder under every verb, in slog and in JSON.
//
// Not guaranteed:
//
//   - That an answer belongs to its request: APIv3 signs an answer alone.
//   - That a signed message was not seen before, within ClockSkewMax.
//   - Certificates are read for their keys; their dates and chains are not checked.
package apiv3
