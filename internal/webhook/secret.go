package webhook

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"hongbao/internal/durable"
)

// The standard's bounds of a secret.
const (
	secretPrefix   = "whsec_"
	secretBytesMin = 24
	secretBytesMax = 64
	secretBytesNew = 32
	// secretFileBytesMax bounds what is read of a file.
	secretFileBytesMax = 4 << 10
)

const redacted = "(redacted)"

// Secret is what events are signed under, as the standard writes it: "whsec_" and
// the base64 of 24 to 64 bytes. It prints as a placeholder wherever it is
// formatted, logged or marshalled.
type Secret []byte

func (Secret) String() string { return redacted }

// Format redacts under every verb, %x and %#v too.
func (Secret) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, redacted) }

// LogValue redacts in slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText redacts in JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// key is what the secret spells. No error quotes it.
func (s Secret) key() ([]byte, error) {
	encoded, ok := bytes.CutPrefix(s, []byte(secretPrefix))
	if !ok {
		return nil, errors.New("want the prefix " + secretPrefix)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(string(encoded))
	if err != nil {
		return nil, errors.New("want base64 after " + secretPrefix)
	}
	if len(raw) < secretBytesMin || len(raw) > secretBytesMax {
		return nil, fmt.Errorf("want %d <= bytes <= %d, have %d", secretBytesMin, secretBytesMax, len(raw))
	}
	return raw, nil
}

// LoadSecret reads a secret from a file; one newline after it is tolerated.
func LoadSecret(file string) (Secret, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("webhook secret: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, secretFileBytesMax))
	if err != nil {
		return nil, fmt.Errorf("webhook secret %s: %w", file, err)
	}
	secret := Secret(bytes.TrimSuffix(raw, []byte{'\n'}))
	if _, err := secret.key(); err != nil {
		return nil, fmt.Errorf("webhook secret %s: %w", file, err)
	}
	return secret, nil
}

// MakeSecret writes a new secret of 32 random bytes, unless the file exists.
func MakeSecret(file string) error {
	var random [secretBytesNew]byte
	rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	_, err := durable.Create(file, []byte(secretPrefix+base64.StdEncoding.EncodeToString(random[:])+"\n"))
	if err != nil {
		return fmt.Errorf("webhook secret: %w", err)
	}
	return nil
}
