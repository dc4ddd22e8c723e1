package envelope

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"hash"
	"io"
	"sync"
)

// A ticket lets members of the group see, grab and open one envelope. It
// travels in the group's message only; IDs alone open nothing. On the wire:
//
//	base64url( version ‖ key number ‖ HMAC-SHA256(key, "hongbao/ticket/1" ‖ order ID)[:16] )
//
// A ticket says which envelope, the bearer token names the user; both are needed.
const (
	ticketVersion   = 1
	ticketMACBytes  = 16
	ticketBytes     = 2 + ticketMACBytes
	ticketKeyBytes  = 32
	ticketKeysMax   = 2
	ticketMACPrefix = "hongbao/ticket/1"
)

// TicketKey is one secret of [Tickets]; Number names it inside the ticket.
type TicketKey struct {
	Number byte
	Secret []byte // at least 32 bytes
}

// String keeps the secret out of logs.
func (k TicketKey) String() string { return fmt.Sprintf("ticket key %d (redacted)", k.Number) }

// Format keeps it out whatever the verb.
func (k TicketKey) Format(f fmt.State, _ rune) { io.WriteString(f, k.String()) }

// MarshalText keeps it out of JSON.
func (k TicketKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Tickets mints and checks tickets. It is safe for concurrent use.
type Tickets struct{ keys []mintingKey }

// mintingKey is a [TicketKey] that cannot be printed. It keeps keyed HMAC states
// for reuse: a ticket is checked on every call.
type mintingKey struct {
	number byte
	macs   *sync.Pool // of *keyedMAC
}

// keyedMAC is an HMAC state with room for its sum.
type keyedMAC struct {
	mac hash.Hash
	sum [sha256.Size]byte
	id  [idDigits]byte
}

// NewTickets takes the key that mints, and before it retires, the previous one.
func NewTickets(keys ...TicketKey) (*Tickets, error) {
	if len(keys) < 1 || len(keys) > ticketKeysMax {
		return nil, fmt.Errorf("ticket keys: want 1 <= keys <= %d, have %d", ticketKeysMax, len(keys))
	}
	t := &Tickets{}
	for i, k := range keys {
		if len(k.Secret) < ticketKeyBytes {
			return nil, fmt.Errorf("ticket key %d: want at least %d bytes, have %d", k.Number, ticketKeyBytes, len(k.Secret))
		}
		if i > 0 && k.Number == keys[0].Number {
			return nil, fmt.Errorf("ticket key %d: given twice", k.Number)
		}
		secret := bytes.Clone(k.Secret)
		t.keys = append(t.keys, mintingKey{number: k.Number, macs: &sync.Pool{New: func() any {
			return &keyedMAC{mac: hmac.New(sha256.New, secret)}
		}}})
	}
	return t, nil
}

// Mint is the ticket of an envelope: the same one each time until the key
// changes.
func (t *Tickets) Mint(id ID) string {
	raw := mintTicket(&t.keys[0], id)
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// Valid reports, in constant time, whether ticket was minted for id.
func (t *Tickets) Valid(id ID, ticket string) bool {
	if len(ticket) != base64.RawURLEncoding.EncodedLen(ticketBytes) {
		return false
	}
	var raw [ticketBytes]byte
	// The decoder skips newlines: fewer bytes than asked for are another spelling.
	if n, err := base64.RawURLEncoding.Strict().Decode(raw[:], []byte(ticket)); err != nil || n != ticketBytes {
		return false
	}
	for i := range t.keys {
		if t.keys[i].number == raw[1] {
			want := mintTicket(&t.keys[i], id)
			return subtle.ConstantTimeCompare(raw[:], want[:]) == 1
		}
	}
	return false
}

func mintTicket(k *mintingKey, id ID) [ticketBytes]byte {
	m := k.macs.Get().(*keyedMAC)
	defer k.macs.Put(m)
	m.mac.Reset()
	m.mac.Write([]byte(ticketMACPrefix))
	m.mac.Write(m.id[:copy(m.id[:], id)])
	m.mac.Sum(m.sum[:0])
	raw := [ticketBytes]byte{ticketVersion, k.number}
	copy(raw[2:], m.sum[:ticketMACBytes])
	return raw
}
