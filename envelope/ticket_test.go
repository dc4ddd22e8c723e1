package envelope

import (
	"encoding/base64"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func ticketKey(number byte) TicketKey {
	return TicketKey{Number: number, Secret: bytesFrom(number, 32)}
}

func TestATicketIsForOneEnvelope(t *testing.T) {
	tickets := must(NewTickets(ticketKey(1)))
	for i := range 200 {
		ticket := tickets.Mint(idAt(i))
		if !tickets.Valid(idAt(i), ticket) || ticket != tickets.Mint(idAt(i)) {
			t.Fatalf("%s: its own ticket %q is refused, or another the second time", idAt(i), ticket)
		}
		if tickets.Valid(idAt(i+1), ticket) {
			t.Fatalf("the ticket of %s opens %s", idAt(i), idAt(i+1))
		}
		if tickets.Valid(idAt(i).Body().In(4), ticket) {
			t.Fatalf("the ticket of %s opens the same body elsewhere", idAt(i))
		}
	}
}

// spoiled is the ticket with the n-th byte replaced.
func spoiled(ticket string, n int, with byte) string {
	return ticket[:n] + string([]byte{with}) + ticket[n+1:]
}

func TestEverySingleByteOfATicketMatters(t *testing.T) {
	tickets := must(NewTickets(ticketKey(1), ticketKey(0)))
	for i := range 20 {
		ticket := tickets.Mint(idAt(i))
		for n := range ticket {
			for b := range 256 {
				if s := spoiled(ticket, n, byte(b)); s != ticket && tickets.Valid(idAt(i), s) {
					t.Fatalf("%s: %q is as good as %q", idAt(i), s, ticket)
				}
			}
		}
	}
}

// TestATicketHasOneSpelling takes IDs whose MAC ends in a zero byte: the
// decoder skips newlines, and a ticket of 23 characters and a newline leaves
// the last byte zero.
func TestATicketHasOneSpelling(t *testing.T) {
	tickets := must(NewTickets(ticketKey(0)))
	found := 0
	for i := 0; found < 3; i++ {
		ticket := tickets.Mint(idAt(i))
		if raw := must(base64.RawURLEncoding.DecodeString(ticket)); raw[len(raw)-1] != 0 {
			continue
		}
		found++
		for n := range ticket {
			for _, newline := range []string{"\n", "\r"} {
				if s := ticket[:n] + newline + ticket[n:23]; tickets.Valid(idAt(i), s) {
					t.Fatalf("%s: %q is as good as %q", idAt(i), s, ticket)
				}
			}
		}
	}
}

func TestWhatIsNoTicketIsRefused(t *testing.T) {
	tickets := must(NewTickets(ticketKey(1)))
	good := tickets.Mint(idAt(0))
	raw := must(base64.RawURLEncoding.DecodeString(good))
	for name, s := range map[string]string{
		"nothing": "", "a character short": good[:23], "a character long": good + "A", "padded": good + "=", "a newline behind": good + "\n",
		"a space in front": " " + good, "the other alphabet": base64.RawStdEncoding.EncodeToString(append(raw[:17:17], 0xff)),
		"twice": good + good, "zeros": strings.Repeat("A", 24), "newlines": strings.Repeat("\n", 24), "the version of tomorrow": spoiled(good, 1, 'g'),
		"the MAC alone": base64.RawURLEncoding.EncodeToString(raw[2:]), "in hex": "0101" + strings.Repeat("0", 20),
	} {
		if tickets.Valid(idAt(0), s) {
			t.Errorf("%s: %q is valid", name, s)
		}
	}
}

func TestTicketsSurviveAKeyRotation(t *testing.T) {
	first, second, third := ticketKey(1), ticketKey(2), ticketKey(3)
	id := idAt(0)
	old := must(NewTickets(first)).Mint(id)

	both := must(NewTickets(second, first))
	young := both.Mint(id)
	if young == old || young != must(NewTickets(second)).Mint(id) {
		t.Error("the new key does not mint")
	}
	if !both.Valid(id, old) || !both.Valid(id, young) {
		t.Error("during a rotation both tickets are valid")
	}
	after := must(NewTickets(third, second))
	if after.Valid(id, old) || !after.Valid(id, young) {
		t.Error("a retired key is refused, the previous one is not")
	}
	reused := must(NewTickets(TicketKey{Number: 1, Secret: bytesFrom(99, 32)}))
	if reused.Valid(id, old) {
		t.Error("a number used again under another secret lets old tickets in")
	}
}

func TestTicketKeysAreOneOrTwoOf32Bytes(t *testing.T) {
	short := TicketKey{Number: 7, Secret: make([]byte, 31)}
	for _, row := range []struct {
		name string
		keys []TicketKey
		want string
	}{
		{"none", nil, "1 <= keys <= 2, have 0"},
		{"three", []TicketKey{ticketKey(1), ticketKey(2), ticketKey(3)}, "1 <= keys <= 2, have 3"},
		{"a short one", []TicketKey{short}, "ticket key 7: want at least 32 bytes, have 31"},
		{"a short previous one", []TicketKey{ticketKey(1), short}, "ticket key 7: want at least 32 bytes, have 31"},
		{"an empty one", []TicketKey{{Number: 7}}, "have 0"},
		{"a number twice", []TicketKey{ticketKey(1), {Number: 1, Secret: bytesFrom(9, 32)}}, "ticket key 1: given twice"},
	} {
		if got, err := NewTickets(row.keys...); err == nil || got != nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: have %v, want …%s…", row.name, err, row.want)
		}
	}
	if _, err := NewTickets(ticketKey(0), ticketKey(255)); err != nil {
		t.Error(err)
	}
}

func TestALongTicketCostsNothing(t *testing.T) {
	tickets := must(NewTickets(ticketKey(1)))
	id, other := idAt(0), idAt(1)
	long := strings.Repeat(tickets.Mint(id), 50_000)
	if n := testing.AllocsPerRun(100, func() { tickets.Valid(id, long) }); n != 0 {
		t.Errorf("%d bytes: %v allocations, want none", len(long), n)
	}
	const most = 16 // a new HMAC state; the pool may be empty, and under the race detector often is
	for who, of := range map[string]ID{"a right": id, "a wrong": other} {
		if n := testing.AllocsPerRun(100, func() { tickets.Valid(of, long[:24]) }); n > most {
			t.Errorf("%s ticket takes %v allocations, want at most %d", who, n, most)
		}
	}
}

func TestOnlyWhatIsMintedIsValid(t *testing.T) {
	tickets := must(NewTickets(ticketKey(1), ticketKey(2)))
	rapid.Check(t, func(t *rapid.T) {
		raw := append([]byte{1, rapid.Byte().Draw(t, "key")}, rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "MAC")...)
		if s := base64.RawURLEncoding.EncodeToString(raw); tickets.Valid(idAt(0), s) {
			t.Fatalf("%q is a forgery", s)
		}
	})
}

func FuzzATicketIsValidOnlyAsMinted(f *testing.F) {
	tickets := must(NewTickets(ticketKey(1), ticketKey(0)))
	old := must(NewTickets(ticketKey(0)))
	minted, previous := tickets.Mint(idAt(0)), old.Mint(idAt(0))
	for _, s := range []string{"", minted, previous, minted[:23] + "\n", minted + "=", strings.Repeat("A", 24), strings.Repeat("\n", 24)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if tickets.Valid(idAt(0), s) != (s == minted || s == previous) {
			t.Errorf("%q: valid %t", s, tickets.Valid(idAt(0), s))
		}
	})
}
