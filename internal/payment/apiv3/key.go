package apiv3

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"os"
)

// keyFileBytesMax bounds what is read from a key file: the largest PEM block in
// use is a few kilobytes.
const keyFileBytesMax = 64 << 10

const redacted = "(redacted)"

// SecretBytes is the length of an APIv3 key.
const SecretBytes = 32

// Secret is key material. It prints as a placeholder wherever it is formatted,
// logged or marshalled.
type Secret []byte

func (Secret) String() string { return redacted }

// Format redacts under every verb, %x and %#v too.
func (Secret) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, redacted) }

// LogValue redacts in slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText redacts in JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LoadPrivateKey reads an RSA key from a PEM file, PKCS #8 as the provider
// issues it.
func LoadPrivateKey(file string) (*rsa.PrivateKey, error) {
	block, err := readPEM(file)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("private key %s: %w", file, err)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("private key %s: want RSA, have %T", file, parsed)
	}
	return key, CheckBits("private key "+file, &key.PublicKey)
}

// LoadPublicKey reads an RSA key from a PEM file: a public key, or a platform
// certificate, whose dates are not looked at because the provider names the
// serials in use.
func LoadPublicKey(file string) (*rsa.PublicKey, error) {
	block, err := readPEM(file)
	if err != nil {
		return nil, err
	}
	var parsed any
	if block.Type == "CERTIFICATE" {
		var cert *x509.Certificate
		if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
			parsed = cert.PublicKey
		}
	} else {
		parsed, err = x509.ParsePKIXPublicKey(block.Bytes)
	}
	if err != nil {
		return nil, fmt.Errorf("public key %s: %w", file, err)
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("public key %s: want RSA, have %T", file, parsed)
	}
	return key, CheckBits("public key "+file, key)
}

// LoadAPIv3Key reads the 32 bytes that notifications are encrypted under; one
// newline after them is tolerated.
func LoadAPIv3Key(file string) (Secret, error) {
	raw, err := readKeyFile(file)
	if err != nil {
		return nil, err
	}
	raw = bytes.TrimSuffix(raw, []byte{'\n'})
	if len(raw) != SecretBytes {
		return nil, fmt.Errorf("APIv3 key %s: want %d bytes, have %d", file, SecretBytes, len(raw))
	}
	return raw, nil
}

func readPEM(file string) (*pem.Block, error) {
	raw, err := readKeyFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("key file %s: no PEM block in it", file)
	}
	return block, nil
}

func readKeyFile(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, keyFileBytesMax+1))
	if err == nil && len(raw) > keyFileBytesMax {
		err = fmt.Errorf("want at most %d bytes", keyFileBytesMax)
	}
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", file, err)
	}
	return raw, nil
}

// CheckBits refuses a key that is too short to sign or verify here.
func CheckBits(what string, key *rsa.PublicKey) error {
	if bits := key.N.BitLen(); bits < RSABitsMin {
		return fmt.Errorf("%s: want at least %d bits, have %d", what, RSABitsMin, bits)
	}
	return nil
}
