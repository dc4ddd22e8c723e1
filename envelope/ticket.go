package envelope

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
)

// A ticket lets members of the group see, grab and open one envelope. It
// travels in the group's message only; IDs alone open nothing. On the wire:
//
//	base64url( version ‖ key number ‖ HMAC-SHA256(key, "hongbao/ticket/1" ‖ order ID)[:16] )
//
// A ticket says which envelope, the bearer token says who; both are needed.
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

// Tickets mints and checks tickets. It is safe for concurrent use.
type Tickets struct{ keys []TicketKey }

// NewTickets takes the key that mints, and before it retires, the previous one.
func NewTickets(keys ...TicketKey) (*Tickets, error) {
	if len(keys) < 1 || len(keys) > ticketKeysMax {
		return nil, fmt.Errorf("ticket keys: want 1 <= keys <= %d, have %d", ticketKeysMax, len(keys))
	}
	for i, k := range keys {
		if len(k.Secret) < ticketKeyBytes {
			return nil, fmt.Errorf("ticket key %d: want at least %d bytes, have %d", k.Number, ticketKeyBytes, len(k.Secret))
		}
		if i > 0 && k.Number == keys[0].Number {
			return nil, fmt.Errorf("ticket key %d: given twice", k.Number)
		}
	}
	return &Tickets{keys: keys}, nil
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
	if _, err := base64.RawURLEncoding.Strict().Decode(raw[:], []byte(ticket)); err != nil {
		return false
	}
	for i := range t.keys {
		if t.keys[i].Number == raw[1] {
			want := mintTicket(&t.keys[i], id)
			return subtle.ConstantTimeCompare(raw[:], want[:]) == 1
		}
	}
	return false
}

func mintTicket(k *TicketKey, id ID) [ticketBytes]byte {
	mac := hmac.New(sha256.New, k.Secret)
	mac.Write([]byte(ticketMACPrefix))
	mac.Write([]byte(id))
	var sum [sha256.Size]byte
	mac.Sum(sum[:0])
	raw := [ticketBytes]byte{ticketVersion, k.Number}
	copy(raw[2:], sum[:ticketMACBytes])
	return raw
}
