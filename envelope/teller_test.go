package envelope

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// shelf stands where the databases and the provider are, and answers what a
// test wrote down. It keeps nothing: the tests here are of what the teller
// decides, those of what is stored live in orderset on a real server.
type shelf struct {
	sets      []SetNumber
	homes     []SetNumber             // 99 is the witness; nil: sets
	kept      map[SetNumber]KeyRecord // what FindKey finds
	findErr   map[SetNumber]error
	claimErr  map[SetNumber]error
	mintErr   error
	createErr map[SetNumber]error
	before    *KeyRecord // what Create finds under the key, after all
	sent      map[ID]Envelope
	sentErr   error
	snapshot  Snapshot
	readErr   error
	payErr    error
	opening   Opening
	openErr   error
	prepayErr error

	transfers   map[int]Transfer // by position
	transferErr error
	againErr    error

	mu      sync.Mutex // guards finds: homes are asked at the same time
	finds   int
	calls   []string
	created []Sending
	charges []Charge
	paid    []Payment
}

func (f *shelf) call(format string, args ...any) {
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
}

func (f *shelf) Mint(context.Context) (Body, error) {
	f.call("mint")
	return idAt(0).Body(), f.mintErr
}

func (f *shelf) Candidates(sender UserID, key string) []SetNumber {
	f.call("candidates %s %s", sender, key)
	return f.sets
}

// theWitness stands among a shelf's homes for the one that is not a SET.
const theWitness SetNumber = 99

func (f *shelf) KeyHomes(UserID, string) (homes []KeyHome) {
	sets := f.homes
	if sets == nil {
		sets = f.sets
	}
	for _, set := range sets {
		if set == theWitness {
			homes = append(homes, KeyHome{Witness: true})
		} else {
			homes = append(homes, KeyHome{Set: set})
		}
	}
	return homes
}

func homeOf(home KeyHome) SetNumber {
	if home.Witness {
		return theWitness
	}
	return home.Set
}

// shelfHome is one home of a shelf's keys.
type shelfHome struct {
	*shelf
	home KeyHome
}

func (f *shelf) Keys(home KeyHome) (Keys, error) { return shelfHome{f, home}, nil }

func (f *shelf) Ledger(SetNumber) (Ledger, error) { return f, nil }

func (f shelfHome) FindKey(_ context.Context, sender UserID, key string) (KeyRecord, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.finds++
	if r, ok := f.kept[homeOf(f.home)]; ok {
		return r, nil
	}
	if err := f.findErr[homeOf(f.home)]; err != nil {
		return KeyRecord{}, err
	}
	return KeyRecord{}, fmt.Errorf("key %s of %s: %w", key, sender, ErrNotFound)
}

func (f shelfHome) ClaimKey(_ context.Context, r KeyRecord) (KeyRecord, error) {
	f.call("claim %v", homeOf(f.home))
	if err := f.claimErr[homeOf(f.home)]; err != nil {
		return KeyRecord{}, err
	}
	if there, ok := f.kept[homeOf(f.home)]; ok {
		return there, nil
	}
	return r, nil
}

func (f *shelf) Create(_ context.Context, s Sending) (KeyRecord, error) {
	f.call("create %v", s.Envelope.ID.Set())
	if err := f.createErr[s.Envelope.ID.Set()]; err != nil {
		return KeyRecord{}, err
	}
	if f.before != nil {
		return *f.before, nil
	}
	f.created = append(f.created, s)
	return s.Record(), nil
}

func (f *shelf) Sent(_ context.Context, id ID) (Envelope, error) {
	f.call("sent %v", id.Set())
	if e, ok := f.sent[id]; ok {
		return e, nil
	}
	if f.sentErr != nil {
		return Envelope{}, f.sentErr
	}
	return Envelope{}, ErrNotFound
}

func (f *shelf) Pay(_ context.Context, p Payment) (Envelope, error) {
	f.paid = append(f.paid, p)
	return f.snapshot.Envelope, f.payErr
}

func (f *shelf) Find(context.Context, ID) (Snapshot, error) {
	f.call("show")
	return f.snapshot, f.readErr
}

func (f *shelf) Transfers(_ context.Context, _ ID, user UserID, own int) (ts []Transfer, err error) {
	f.call("transfers of %s", user)
	for _, seq := range slices.Sorted(maps.Keys(f.transfers)) {
		if t := f.transfers[seq]; t.Payee == user || seq == own {
			ts = append(ts, t)
		}
	}
	return ts, f.transferErr
}

func (f *shelf) Again(_ context.Context, _ ID, seq int, user UserID) (Transfer, error) {
	f.call("again %d of %s", seq, user)
	t := f.transfers[seq]
	t.State, t.Reason, t.Round = Pending, "", t.Round+1
	return t, f.againErr
}

func (f *shelf) Peek(_ context.Context, _ ID, user UserID) (Snapshot, error) {
	f.call("peek %s", user)
	return f.snapshot, f.readErr
}

func (f *shelf) Open(_ context.Context, req OpenRequest) (Opening, error) {
	f.call("open %s", req.User)
	return f.opening, f.openErr
}

func (f *shelf) Prepay(_ context.Context, c Charge) (string, error) {
	f.call("prepay %v", c.OrderNo.Set())
	f.charges = append(f.charges, c)
	return "pay://" + string(c.OrderNo), f.prepayErr
}

func tellerAt(f *shelf) *Teller {
	return must(NewTeller(TellerConfig{Placement: f, Provider: f, DrawKey: drawKey(), Tickets: someTickets(),
		Limits: DefaultLimits(), Now: noon}))
}

func someTickets() *Tickets { return must(NewTickets(ticketKey(1))) }

func busy(set string) error {
	return fmt.Errorf("SET %s: %w", set, &BusyError{Reason: Reason("set_" + set), RetryAfter: time.Second})
}

func TestAPaymentIsPassedOn(t *testing.T) {
	p := Payment{OrderNo: idAt(0), TransactionID: "tx", Amount: 1000, PaidAt: noon()}
	for _, want := range []error{nil, ErrPaymentMismatch} {
		f := &shelf{payErr: want}
		if err := tellerAt(f).Paid(t.Context(), p); !errors.Is(err, want) || len(f.paid) != 1 || f.paid[0] != p {
			t.Errorf("have %v after %+v, want %v", err, f.paid, want)
		}
	}
}

func TestGrabAndOpenCheckTheTicketFirst(t *testing.T) {
	ticket := someTickets().Mint(idAt(0))
	for name, s := range map[string]string{"none": "", "of another envelope": someTickets().Mint(idAt(1)), "spoiled": spoiled(ticket, 23, 'A'), "cut": ticket[:23]} {
		f := &shelf{}
		if got, err := tellerAt(f).Grab(t.Context(), idAt(0), "amy", s); got != "" || !errors.Is(err, ErrNotFound) {
			t.Errorf("grab, ticket %s: have %q, %v", name, got, err)
		}
		if got, err := tellerAt(f).Open(t.Context(), OpenRequest{idAt(0), "amy"}, s); got != (Opening{}) || !errors.Is(err, ErrNotFound) {
			t.Errorf("open, ticket %s: have %+v, %v", name, got, err)
		}
		if len(f.calls) != 0 {
			t.Errorf("ticket %s: a refusal cost %v", name, f.calls)
		}
	}
}

func TestGrabAnswersByTheDatabasesClock(t *testing.T) {
	e, _ := paid(luckyOrder(1000, 10), DefaultLimits())
	ticket, share := someTickets().Mint(e.ID), Share{Seq: 1, User: "amy", Amount: 5}
	for _, row := range []struct {
		name     string
		snapshot Snapshot
		err      error
		want     Outcome
	}{
		{"in time", Snapshot{Envelope: e, Now: e.ExpiresAt.Add(-1)}, nil, Openable},
		{"too late", Snapshot{Envelope: e, Now: e.ExpiresAt}, nil, TooLate},
		{"with a share", Snapshot{Envelope: e, Shares: []Share{share}, Now: e.ExpiresAt}, nil, AlreadyOpened},
		{"absent", Snapshot{}, ErrNotFound, ""},
		{"busy", Snapshot{}, busy("003"), ""},
	} {
		f := &shelf{snapshot: row.snapshot, readErr: row.err}
		got, err := tellerAt(f).Grab(t.Context(), e.ID, "amy", ticket)
		if got != row.want || !errors.Is(err, row.err) || !slices.Equal(f.calls, []string{"peek amy"}) {
			t.Errorf("%s: have %q, %v after %v, want %q", row.name, got, err, f.calls, row.want)
		}
	}
}

func TestOpenReturnsOutcomeOrRefusal(t *testing.T) {
	won := Opening{Outcome: Opened, Share: Share{Seq: 1, User: "amy", Amount: 5}}
	fault := errors.New("disk on fire")
	for _, row := range []struct {
		opening Opening
		err     error
		want    error
	}{
		{won, nil, nil}, {Opening{Outcome: Drained}, nil, nil}, {Opening{Err: ErrNotActive}, nil, ErrNotActive},
		{Opening{Err: ErrNotFound}, nil, ErrNotFound}, {Opening{}, fault, fault}, {Opening{}, ErrUnknownOutcome, ErrUnknownOutcome},
	} {
		f := &shelf{opening: row.opening, openErr: row.err}
		got, err := tellerAt(f).Open(t.Context(), OpenRequest{idAt(0), "amy"}, someTickets().Mint(idAt(0)))
		if got != row.opening || !errors.Is(err, row.want) || !slices.Equal(f.calls, []string{"open amy"}) {
			t.Errorf("%+v, %v: have %+v, %v after %v", row.opening, row.err, got, err, f.calls)
		}
	}
}

func TestATellerWantsAllItsParts(t *testing.T) {
	f := &shelf{}
	whole := TellerConfig{Placement: f, Provider: f, DrawKey: drawKey(), Tickets: someTickets(), Limits: DefaultLimits(), Now: noon}
	var none DrawKey
	for _, row := range []struct {
		edit func(*TellerConfig)
		want string
	}{
		{func(c *TellerConfig) { c.Placement = nil }, "placement"},
		{func(c *TellerConfig) { c.Provider = nil }, "provider"},
		{func(c *TellerConfig) { c.Tickets = nil }, "tickets"},
		{func(c *TellerConfig) { c.Now = nil }, "now"},
		{func(c *TellerConfig) { c.DrawKey = none }, "draw key"},
		{func(c *TellerConfig) { c.Limits = Limits{} }, "count max"},
		{func(c *TellerConfig) { c.Limits.PayWithin = 0 }, "pay within"},
	} {
		c := whole
		row.edit(&c)
		if got, err := NewTeller(c); err == nil || got != nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("without %s: have error %v", row.want, err)
		}
	}
	if _, err := NewTeller(whole); err != nil {
		t.Error(err)
	}
}
