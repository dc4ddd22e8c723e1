package apiv3

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
)

const (
	resourceAlgorithm = "AEAD_AES_256_GCM"
	gcmNonceBytes     = 12
)

// Resource is the encrypted part of a notification: AES-256-GCM under the APIv3
// key, the tag at the end of the ciphertext.
type Resource struct {
	Algorithm      string `json:"algorithm"`
	Ciphertext     string `json:"ciphertext"` // base64
	Nonce          string `json:"nonce"`      // 12 bytes as they are
	AssociatedData string `json:"associated_data"`
	OriginalType   string `json:"original_type"`
}

// SealResource encrypts plaintext under a fresh nonce. Kind is both the original
// type and the associated data, as the provider has it.
func SealResource(key Secret, kind string, plaintext []byte) (Resource, error) {
	gcm, err := newGCM(key)
	if err != nil {
		return Resource{}, err
	}
	r := Resource{Algorithm: resourceAlgorithm, AssociatedData: kind, OriginalType: kind, Nonce: rand.Text()[:gcmNonceBytes]}
	sealed := gcm.Seal(nil, []byte(r.Nonce), plaintext, []byte(r.AssociatedData))
	r.Ciphertext = base64.StdEncoding.EncodeToString(sealed)
	return r, nil
}

// Open decrypts the resource and authenticates it.
func (r *Resource) Open(key Secret) ([]byte, error) {
	if r.Algorithm != resourceAlgorithm {
		return nil, fmt.Errorf("resource: want algorithm %s, have %q", resourceAlgorithm, r.Algorithm)
	}
	// GCM panics on a nonce of another length, and the length is the sender's.
	if len(r.Nonce) != gcmNonceBytes {
		return nil, fmt.Errorf("resource: want a nonce of %d bytes, have %d", gcmNonceBytes, len(r.Nonce))
	}
	sealed, err := base64.StdEncoding.DecodeString(r.Ciphertext)
	if err != nil {
		return nil, errors.New("resource: the ciphertext is not base64")
	}
	gcm, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	plaintext, err := gcm.Open(nil, []byte(r.Nonce), sealed, []byte(r.AssociatedData))
	if err != nil {
		return nil, errors.New("resource: not sealed under our APIv3 key")
	}
	return plaintext, nil
}

func newGCM(key Secret) (cipher.AEAD, error) {
	if len(key) != SecretBytes {
		return nil, fmt.Errorf("APIv3 key: want %d bytes, have %d", SecretBytes, len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
