package simulator

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"hongbao/internal/durable"
	"hongbao/internal/payment/apiv3"
)

// rsaBits is what the real provider issues.
const rsaBits = 2048

// Keys are the files that the two sides of a simulated provider need: the
// merchant MerchantPrivate, PlatformPublic and APIv3; the provider the rest.
type Keys struct {
	MerchantPrivate string
	MerchantPublic  string
	PlatformPrivate string
	PlatformPublic  string
	APIv3           string
}

// GenerateKeys makes the key files in dir, mode 0600, and returns their names.
// A file that is there is kept, never overwritten, so a second call returns the
// keys of the first, and an interrupted call is finished by the next.
func GenerateKeys(dir string) (Keys, error) {
	k := Keys{
		MerchantPrivate: filepath.Join(dir, "merchant.key.pem"),
		MerchantPublic:  filepath.Join(dir, "merchant.pub.pem"),
		PlatformPrivate: filepath.Join(dir, "platform.key.pem"),
		PlatformPublic:  filepath.Join(dir, "platform.pub.pem"),
		APIv3:           filepath.Join(dir, "apiv3.key"),
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Keys{}, fmt.Errorf("keys: %w", err)
	}
	for _, pair := range []struct{ private, public string }{
		{k.MerchantPrivate, k.MerchantPublic}, {k.PlatformPrivate, k.PlatformPublic},
	} {
		if err := generatePair(pair.private, pair.public); err != nil {
			return Keys{}, fmt.Errorf("keys: %w", err)
		}
	}
	err := create(k.APIv3, func() ([]byte, error) { return []byte((rand.Text() + rand.Text())[:apiv3KeyBytes]), nil })
	if err != nil {
		return Keys{}, fmt.Errorf("keys: %w", err)
	}
	return k, nil
}

// generatePair derives the public half from the private file, so that the two
// belong together whatever was there before.
func generatePair(private, public string) error {
	err := create(private, func() ([]byte, error) {
		key, err := rsa.GenerateKey(rand.Reader, rsaBits)
		if err != nil {
			return nil, err
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
	})
	if err != nil {
		return err
	}
	return create(public, func() ([]byte, error) {
		key, err := apiv3.LoadPrivateKey(private)
		if err != nil {
			return nil, err
		}
		der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
		return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), err
	})
}

// create writes a file that is not there yet.
func create(name string, content func() ([]byte, error)) error {
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	data, err := content()
	if err != nil {
		return err
	}
	_, err = durable.Create(name, data) // another process may have been first
	return err
}
