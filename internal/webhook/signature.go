package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
)

// The standard's headers, spelled as net/http keys them.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// signatureVersion stands before each signature and says HMAC-SHA256.
const signatureVersion = "v1,"

// signer has a key for every configured secret.
type signer [][]byte

func newSigner(secrets []Secret) (signer, error) {
	var s signer
	for _, secret := range secrets {
		key, err := secret.key()
		if err != nil {
			return nil, err
		}
		s = append(s, key)
	}
	return s, nil
}

// sign returns the signatures of id.timestamp.body, a space between them. The
// body is hashed where it is: it may be long.
func (s signer) sign(id, timestamp string, body []byte) string {
	var signatures []byte
	for i, key := range s {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + timestamp + ".")) // a hash takes everything
		mac.Write(body)
		if i > 0 {
			signatures = append(signatures, ' ')
		}
		signatures = append(signatures, signatureVersion...)
		signatures = base64.StdEncoding.AppendEncode(signatures, mac.Sum(nil))
	}
	return string(signatures)
}
