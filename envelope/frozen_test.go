package envelope

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// frozen is testdata/frozen.json. It was computed by another program in another
// language from the text of the design. A difference is never a reason to
// change the file: IDs are stored, draws are promised and tickets are out in
// people's groups.
type frozen struct {
	Bodies []struct {
		Body       int64     `json:"body"`
		Set        SetNumber `json:"set"`
		ID         ID        `json:"id"`
		TableDigit int       `json:"table_digit"`
		Time       time.Time `json:"time"`
		Day        Day       `json:"day"`
	} `json:"bodies"`
	Draws   []frozenDraw `json:"draws"`
	Tickets []struct {
		KeyNumber byte   `json:"key_number"`
		Secret    string `json:"secret"`
		ID        ID     `json:"id"`
		Ticket    string `json:"ticket"`
	} `json:"tickets"`
	Orders []struct {
		Kind      Kind    `json:"kind"`
		Group     GroupID `json:"group_id"`
		Recipient UserID  `json:"recipient_id"`
		Greeting  string  `json:"greeting"`
		Total     Fen     `json:"total_fen"`
		Count     int     `json:"count"`
		Hash      string  `json:"hash"`
	} `json:"orders"`
}

// frozenDraw is one lucky envelope under the draw key 00 01 02 … 1f.
type frozenDraw struct {
	ID         ID     `json:"id"`
	Total      Fen    `json:"total"`
	Count      int    `json:"count"`
	ShareMin   Fen    `json:"share_min"` // absent: one fen
	ShareMax   Fen    `json:"share_max"`
	Seed       string `json:"draw_seed"`
	Commitment string `json:"draw_commitment"`
	Shares     []Fen  `json:"shares"`
}

func readFrozen(t *testing.T) frozen {
	t.Helper()
	text, err := os.ReadFile("testdata/frozen.json")
	if err != nil {
		t.Fatal(err)
	}
	var f frozen
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		t.Fatal(err)
	}
	if len(f.Bodies) < 20 || len(f.Draws) < 27 || len(f.Tickets) < 9 || len(f.Orders) < 3 {
		t.Fatalf("frozen.json has lost rows: %d bodies, %d draws, %d tickets, %d orders",
			len(f.Bodies), len(f.Draws), len(f.Tickets), len(f.Orders))
	}
	return f
}

func TestFrozenBodiesKeepTheirAddress(t *testing.T) {
	for _, row := range readFrozen(t).Bodies {
		b := Body(row.Body)
		if got := b.In(row.Set); got != row.ID {
			t.Errorf("body %d in SET %v: have %s, frozen %s", b, row.Set, got, row.ID)
		}
		if got := b.TableDigit(); got != row.TableDigit {
			t.Errorf("body %d: have table digit %d, frozen %d", b, got, row.TableDigit)
		}
		if got := b.Time(); !got.Equal(row.Time) {
			t.Errorf("body %d: have time %v, frozen %v", b, got, row.Time)
		}
		if b.Day() != row.Day || row.ID.Day() != row.Day {
			t.Errorf("body %d: have day %d, ID %d, frozen %d", b, b.Day(), row.ID.Day(), row.Day)
		}
	}
}

func TestFrozenDrawsKeepSharesAndCommitment(t *testing.T) {
	for _, row := range readFrozen(t).Draws {
		seed := drawKey().Seed(row.ID)
		if seed.Hex() != row.Seed {
			t.Errorf("%s: have seed %s, frozen %s", row.ID, seed.Hex(), row.Seed)
		}
		if got := seed.Commitment().Hex(); got != row.Commitment {
			t.Errorf("%s: have commitment %s, frozen %s", row.ID, got, row.Commitment)
		}
		of := Bounds{max(1, row.ShareMin), row.ShareMax}
		if got := splitWithin(seed, row.Total, row.Count, of); !slices.Equal(got, row.Shares) {
			t.Errorf("%d fen in %d shares of %d to %d:\nhave   %v\nfrozen %v", row.Total, row.Count, of.Min, of.Max, got, row.Shares)
		}
	}
}

// TestFrozenDrawsComeOutOfDecide holds the way people are really paid to the
// same file.
func TestFrozenDrawsComeOutOfDecide(t *testing.T) {
	for _, row := range readFrozen(t).Draws {
		seed := drawKey().Seed(row.ID)
		e := Envelope{ID: row.ID, Kind: Lucky, State: Active, Total: row.Total, Count: row.Count, ShareMin: row.ShareMin, ShareMax: row.ShareMax,
			Commitment: seed.Commitment(), ExpiresAt: noon()}
		e, openings := Decide(e, seed, crowd(row.Count), nobody, noon().Add(-1))
		var shares []Share
		var amounts []Fen
		for _, o := range openings {
			shares, amounts = append(shares, o.Share), append(amounts, o.Share.Amount)
		}
		if diff := cmp.Diff(row.Shares, amounts); diff != "" {
			t.Errorf("%s: (-frozen +decided)\n%s", row.ID, diff)
		}
		if err := Verify(&e, seed, shares); err != nil {
			t.Errorf("%s: %v", row.ID, err)
		}
	}
}

func TestFrozenTicketsStayValid(t *testing.T) {
	for _, row := range readFrozen(t).Tickets {
		tickets := must(NewTickets(TicketKey{Number: row.KeyNumber, Secret: must(hex.DecodeString(row.Secret))}))
		if got := tickets.Mint(row.ID); got != row.Ticket {
			t.Errorf("key %d, %s: have %s, frozen %s", row.KeyNumber, row.ID, got, row.Ticket)
		}
		if !tickets.Valid(row.ID, row.Ticket) {
			t.Errorf("key %d, %s: the frozen ticket is refused", row.KeyNumber, row.ID)
		}
	}
}

func TestFrozenOrdersKeepTheirHash(t *testing.T) {
	for _, row := range readFrozen(t).Orders {
		o := Order{Sender: "ann", Key: "k", Kind: row.Kind, Group: row.Group, Recipient: row.Recipient,
			Greeting: row.Greeting, Total: row.Total, Count: row.Count}
		if got := hexOf(o.Hash()); got != row.Hash {
			t.Errorf("%s order: have hash %s, frozen %s", row.Kind, got, row.Hash)
		}
	}
}

func hexOf(sum [sha256.Size]byte) string { return hex.EncodeToString(sum[:]) }
