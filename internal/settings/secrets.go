package settings

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"hongbao/envelope"
	"hongbao/internal/durable"
	"hongbao/orderset"
)

const (
	secretBytesMax = 16 << 10
	// playgroundPrefix marks a secret that was made for a playground.
	playgroundPrefix = "playground-"
)

// Path is a file of the settings, made absolute or relative to where we run.
func (s *Settings) Path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.dir, name)
}

// Secret reads a secret, without the line end. key names the setting in errors.
func (s *Settings) Secret(key, name string) ([]byte, error) {
	if name == "" {
		return nil, fmt.Errorf("settings: %s: is required", key)
	}
	f, err := os.Open(s.Path(name))
	if err != nil {
		return nil, fmt.Errorf("settings: %s: %w", key, err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, secretBytesMax+1))
	if err != nil {
		return nil, fmt.Errorf("settings: %s: %w", key, err)
	}
	if len(raw) > secretBytesMax {
		return nil, fmt.Errorf("settings: %s: %s is larger than %d bytes", key, name, secretBytesMax)
	}
	secret := bytes.TrimRight(raw, "\r\n")
	if len(secret) == 0 {
		return nil, fmt.Errorf("settings: %s: %s is empty", key, name)
	}
	if s.Environment != Playground && bytes.HasPrefix(secret, []byte(playgroundPrefix)) {
		return nil, fmt.Errorf("settings: %s: %s holds a playground's secret; make one for %s", key, name, s.Environment)
	}
	return secret, nil
}

// Account reads a database account, with how it connects.
func (s *Settings) Account(key string, a Account) (orderset.Account, error) {
	password, errPassword := s.Secret("accounts."+key+".password_file", a.PasswordFile)
	encryption, errTLS := s.databaseTLS()
	return orderset.Account{User: a.User, Password: string(password), TLS: encryption}, errors.Join(errPassword, errTLS)
}

// DrawKey reads the key of the draw.
func (s *Settings) DrawKey() (envelope.DrawKey, error) {
	secret, err := s.Secret("keys.draw_file", s.Keys.DrawFile)
	if err != nil {
		return envelope.DrawKey{}, err
	}
	key, err := envelope.NewDrawKey(secret)
	if err != nil {
		return key, fmt.Errorf("settings: keys.draw_file: %w", err)
	}
	return key, nil
}

// Tickets reads the keys of the tickets.
func (s *Settings) Tickets() (*envelope.Tickets, error) {
	files := []struct {
		key, name string
		number    int
	}{{"keys.ticket_file", s.Keys.TicketFile, s.Keys.TicketNumber}}
	if s.Keys.PreviousTicketFile != "" {
		files = append(files, struct {
			key, name string
			number    int
		}{"keys.previous_ticket_file", s.Keys.PreviousTicketFile, s.Keys.PreviousTicket})
	}
	var keys []envelope.TicketKey
	var mistakes []error
	for _, f := range files {
		secret, err := s.Secret(f.key, f.name)
		key := envelope.TicketKey{Number: byte(f.number), Secret: secret}
		if err == nil {
			if _, err = envelope.NewTickets(key); err != nil {
				err = fmt.Errorf("settings: %s: %w", f.key, err)
			}
		}
		keys, mistakes = append(keys, key), append(mistakes, err)
	}
	if err := errors.Join(mistakes...); err != nil {
		return nil, err
	}
	tickets, err := envelope.NewTickets(keys...)
	if err != nil {
		return nil, fmt.Errorf("settings: keys.previous_ticket_number: %w", err)
	}
	return tickets, nil
}

// MakePlaygroundSecret writes a new secret for a playground, unless the file
// exists.
func MakePlaygroundSecret(file string) error { return writeOnce(file, playgroundSecret()+"\n") }

// MakePlaygroundEventSecret does so for a secret that signs events.
func MakePlaygroundEventSecret(file string) error {
	return writeOnce(file, webhookSecretPrefix+base64.StdEncoding.EncodeToString([]byte(playgroundSecret()))+"\n")
}

func playgroundSecret() string {
	var random [24]byte
	rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	return playgroundPrefix + hex.EncodeToString(random[:])
}

func writeOnce(file, text string) error {
	_, err := durable.Create(file, []byte(text))
	return err
}
