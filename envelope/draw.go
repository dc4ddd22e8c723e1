package envelope

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
)

// DrawKey is the secret that no reader of the database has: a holder
// can compute every draw. The secret is behind a function, the one kind of value
// that fmt, log/slog and encoding/json print as an address or not at all,
// wherever the key is kept.
type DrawKey struct{ secret func() []byte }

const drawKeyBytesMin = 32

// NewDrawKey refuses keys shorter than 32 bytes. It keeps a copy.
func NewDrawKey(secret []byte) (DrawKey, error) {
	if len(secret) < drawKeyBytesMin {
		return DrawKey{}, fmt.Errorf("draw key: want at least %d bytes, have %d", drawKeyBytesMin, len(secret))
	}
	secret = bytes.Clone(secret)
	return DrawKey{secret: func() []byte { return secret }}, nil
}

// String keeps the key out of logs.
func (DrawKey) String() string { return "draw key (redacted)" }

// IsZero reports whether this is no key.
func (k DrawKey) IsZero() bool { return k.secret == nil }

// Seal authenticates data kept outside the databases, in a cache say. purpose
// keeps the seals of different data apart, and all of them apart from seeds.
func (k DrawKey) Seal(purpose string, data []byte) [sha256.Size]byte {
	mac := hmac.New(sha256.New, k.secret())
	mac.Write([]byte("hongbao/seal/" + purpose + "\x00"))
	mac.Write(data)
	var sum [sha256.Size]byte
	mac.Sum(sum[:0])
	return sum
}

// Seed of the envelope's draw: HMAC-SHA256(draw key, order ID as 23 ASCII bytes).
func (k DrawKey) Seed(id ID) Seed {
	mac := hmac.New(sha256.New, k.secret())
	mac.Write([]byte(id))
	var s Seed
	mac.Sum(s[:0])
	return s
}

// Seed decides every share of one lucky envelope. It stays secret until the
// envelope is finished, then it is public.
type Seed [sha256.Size]byte

// Commitment is what the sender is told at send.
func (s Seed) Commitment() Commitment { return sha256.Sum256(s[:]) }

// Hex is the seed as the API reveals it.
func (s Seed) Hex() string { return hex.EncodeToString(s[:]) }

// ParseSeed reads 64 hex digits.
func ParseSeed(s string) (Seed, error) {
	var seed Seed
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(seed) {
		return seed, invalid("draw_seed", "must be %d hex digits", 2*len(seed))
	}
	copy(seed[:], b)
	return seed, nil
}

// Commitment is the SHA-256 of a seed.
type Commitment [sha256.Size]byte

// Hex is the commitment as the API gives it.
func (c Commitment) Hex() string { return hex.EncodeToString(c[:]) }

// Draw computes lucky shares from one seed. It is not safe for concurrent use:
// it reuses one HMAC state.
type Draw struct{ mac hash.Hash }

// NewDraw starts drawing from a seed.
func NewDraw(seed Seed) *Draw { return &Draw{mac: hmac.New(sha256.New, seed[:])} }

// Bounds are the least and the most that one share of an envelope may be, as they
// were when it was sent.
type Bounds struct{ Min, Max Fen }

// fit reports whether rest fen divide into left shares within the bounds.
func (b Bounds) fit(rest Fen, left int) bool {
	return rest >= Fen(left)*b.Min && rest <= Fen(left)*b.Max
}

// Share is the amount of share k (1-based) when rest fen and left shares remain
// before it (design §4):
//
//	left = 1: the rest. Otherwise uniform in lo..hi with
//	lo = max(Min, rest − (left−1)·Max)
//	hi = min(Max, ⌊2·rest/left⌋, rest − (left−1)·Min)
//
// so that every later opener gets at least Min and at most Max (I5). No bound passes
// another: twice the mean is no less than Min, nor than what the others can not
// take. Want left·Min <= rest <= left·Max; anything else is a programming error
// and panics rather than paying.
func (d *Draw) Share(k int, rest Fen, left int, of Bounds) Fen {
	m := Fen(left)
	if left < 1 || of.Min < 1 || !of.fit(rest, left) {
		panic(fmt.Sprintf("draw: %d fen do not divide into %d shares of %d to %d fen", rest, left, of.Min, of.Max))
	}
	if left == 1 {
		return rest
	}
	lo := max(of.Min, rest-(m-1)*of.Max)
	hi := min(of.Max, 2*rest/m, rest-(m-1)*of.Min)
	return lo + Fen(d.uniform(uint32(k), uint64(hi-lo+1)))
}

// uniform is a number in 0..span−1 without bias: values past the last whole
// multiple of span are rejected and drawn again with the next j.
func (d *Draw) uniform(k uint32, span uint64) uint64 {
	tail := -span % span // 2⁶⁴ mod span
	for j := uint32(0); ; j++ {
		x := d.word(k, j)
		if tail == 0 || x < -tail {
			return x % span
		}
	}
}

// word is the first 8 bytes of HMAC-SHA256(seed, "share" ‖ k ‖ j).
func (d *Draw) word(k, j uint32) uint64 {
	var msg [13]byte
	copy(msg[:], "share")
	binary.BigEndian.PutUint32(msg[5:], k)
	binary.BigEndian.PutUint32(msg[9:], j)
	d.mac.Reset()
	d.mac.Write(msg[:])
	var sum [sha256.Size]byte
	d.mac.Sum(sum[:0])
	return binary.BigEndian.Uint64(sum[:8])
}
