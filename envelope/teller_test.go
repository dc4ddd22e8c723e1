package envelope

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shelf stands where the databases and the provider are, and answers what a
// test wrote down. It keeps nothing: the tests here are of what the teller
// decides, those of what is stored live in orderset on a real server.
type shelf struct {
	sets      []SetNumber
	kept      map[SetNumber]Sending // what FindSent finds
	findErr   map[SetNumber]error
	mintErr   error
	createErr map[SetNumber]error
	before    *Sending // what Create finds under the key, after all
	snapshot  Snapshot
	readErr   error
	payErr    error
	opening   Opening
	openErr   error
	prepayErr error

	transfers   map[int]Transfer // by position
	transferErr error

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

func (f *shelf) FindSent(_ context.Context, set SetNumber, sender UserID, key string) (Sending, error) {
	f.call("find %v", set)
	if s, ok := f.kept[set]; ok {
		return s, nil
	}
	if err := f.findErr[set]; err != nil {
		return Sending{}, err
	}
	return Sending{}, fmt.Errorf("key %s of %s: %w", key, sender, ErrNotFound)
}

func (f *shelf) Create(_ context.Context, s Sending) (Sending, error) {
	f.call("create %v", s.Envelope.ID.Set())
	if err := f.createErr[s.Envelope.ID.Set()]; err != nil {
		return Sending{}, err
	}
	f.created = append(f.created, s)
	if f.before != nil {
		return *f.before, nil
	}
	return s, nil
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

func (f *shelf) Peek(_ context.Context, _ ID, user UserID) (Snapshot, error) {
	f.call("peek %s", user)
	return f.snapshot, f.readErr
}

func (f *shelf) Open(_ context.Context, id ID, user UserID) (Opening, error) {
	f.call("open %s", user)
	return f.opening, f.openErr
}

func (f *shelf) Prepay(_ context.Context, c Charge) (string, error) {
	f.call("prepay %v", c.OrderNo.Set())
	f.charges = append(f.charges, c)
	return "pay://" + string(c.OrderNo), f.prepayErr
}

func tellerAt(f *shelf) *Teller {
	return must(NewTeller(TellerConfig{Orders: f, Opener: f, Provider: f, DrawKey: drawKey(), Tickets: someTickets(),
		Limits: DefaultLimits(), Now: noon}))
}

func someTickets() *Tickets { return must(NewTickets(ticketKey(1))) }

func busy(set string) error {
	return fmt.Errorf("SET %s: %w", set, &BusyError{Reason: "set_" + set, RetryAfter: time.Second})
}

func TestSendTriesTheSetsInOrderAndStopsAtWhatIsNotBusy(t *testing.T) {
	fault := errors.New("disk on fire")
	for _, row := range []struct {
		name    string
		sets    []SetNumber
		find    map[SetNumber]error
		mint    error
		create  map[SetNumber]error
		want    string // calls
		wantErr error
	}{
		{"all is well", []SetNumber{7, 3}, nil, nil, nil,
			"find 007, find 003, mint, create 007, prepay 007", nil},
		{"the best SET refuses", []SetNumber{7, 3, 4}, nil, nil, map[SetNumber]error{7: busy("007")},
			"find 007, find 003, find 004, mint, create 007, create 003, prepay 003", nil},
		{"only the last takes it", []SetNumber{7, 3, 4}, nil, nil, map[SetNumber]error{7: busy("007"), 3: busy("003")},
			"find 007, find 003, find 004, mint, create 007, create 003, create 004, prepay 004", nil},
		{"a SET is down for finding too", []SetNumber{7, 3}, map[SetNumber]error{7: busy("007")}, nil, map[SetNumber]error{7: busy("007")},
			"find 007, find 003, mint, create 007, create 003, prepay 003", nil},
		{"nobody knows what a SET did", []SetNumber{7, 3}, nil, nil, map[SetNumber]error{7: fmt.Errorf("commit: %w", ErrUnknownOutcome)},
			"find 007, find 003, mint, create 007", ErrUnknownOutcome},
		{"nobody knows, after a refusal", []SetNumber{7, 3, 4}, nil, nil, map[SetNumber]error{7: busy("007"), 3: ErrUnknownOutcome},
			"find 007, find 003, find 004, mint, create 007, create 003", ErrUnknownOutcome},
		{"a SET is broken", []SetNumber{7, 3}, nil, nil, map[SetNumber]error{7: fault},
			"find 007, find 003, mint, create 007", fault},
		{"the caller has gone", []SetNumber{7, 3}, nil, nil, map[SetNumber]error{7: context.Canceled},
			"find 007, find 003, mint, create 007", context.Canceled},
		{"looking for the key fails", []SetNumber{7, 3}, map[SetNumber]error{7: fault}, nil, nil,
			"find 007", fault},
		{"looking in the second SET fails", []SetNumber{7, 3}, map[SetNumber]error{7: busy("007"), 3: ErrUnknownOutcome}, nil, nil,
			"find 007, find 003", ErrUnknownOutcome},
		{"no mint", []SetNumber{7, 3}, nil, fault, nil,
			"find 007, find 003, mint", fault},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := &shelf{sets: row.sets, findErr: row.find, mintErr: row.mint, createErr: row.create}
			got, err := tellerAt(f).Send(t.Context(), luckyOrder(1000, 10))
			if !errors.Is(err, row.wantErr) {
				t.Errorf("have error %v, want %v", err, row.wantErr)
			}
			if calls := strings.Join(f.calls, ", "); calls != "candidates ann k-1, "+row.want {
				t.Errorf("have  %s\nwant candidates ann k-1, %s", calls, row.want)
			}
			if err != nil && got != (Sent{}) {
				t.Errorf("refused, and answered %+v", got)
			}
		})
	}
}

func TestASendNoSetTakesIsBusy(t *testing.T) {
	for _, row := range []struct {
		name   string
		sets   []SetNumber
		reason string
	}{{"no SETs at all", nil, "no_set_available"}, {"every SET refuses", []SetNumber{7, 3}, "set_003"}} {
		t.Run(row.name, func(t *testing.T) {
			f := &shelf{sets: row.sets, createErr: map[SetNumber]error{7: busy("007"), 3: busy("003")}}
			_, err := tellerAt(f).Send(t.Context(), luckyOrder(1000, 10))
			var no *BusyError
			if !errors.As(err, &no) || no.Reason != row.reason || no.RetryAfter != time.Second {
				t.Errorf("have %v, want busy: %s", err, row.reason)
			}
			if len(f.charges) != 0 {
				t.Error("a charge was placed for an envelope nobody has")
			}
		})
	}
}

func TestASendSwapsTheSuffixAndKeepsTheBody(t *testing.T) {
	f := &shelf{sets: []SetNumber{7, 3}, createErr: map[SetNumber]error{7: busy("007")}}
	order := luckyOrder(1000, 10)
	got, err := tellerAt(f).Send(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	id := idAt(0).Body().In(3)
	checked := must(DefaultLimits().Check(order))
	want := DefaultLimits().New(checked, id, drawKey().Seed(id).Commitment(), noon())
	if diff := cmp.Diff(Sent{Envelope: want, CodeURL: "pay://" + string(id)}, got); diff != "" {
		t.Errorf("the answer: (-want +have)\n%s", diff)
	}
	if diff := cmp.Diff([]Sending{{Envelope: want, Key: "k-1", Hash: checked.Hash()}}, f.created); diff != "" {
		t.Errorf("what is committed: (-want +have)\n%s", diff)
	}
	if diff := cmp.Diff([]Charge{{OrderNo: id, Amount: 1000, Description: DefaultGreeting, ExpiresAt: noon().Add(15 * time.Minute)}}, f.charges); diff != "" {
		t.Errorf("the charge: (-want +have)\n%s", diff)
	}
}

func TestARefusedOrderTouchesNothing(t *testing.T) {
	f := &shelf{sets: []SetNumber{7}}
	got, err := tellerAt(f).Send(t.Context(), luckyOrder(9, 10))
	wantInvalid(t, err, "total_fen", "must be 10 to 200000 fen")
	if len(f.calls) != 0 || got != (Sent{}) {
		t.Errorf("have %+v after %v", got, f.calls)
	}
}

// sentBefore is what an earlier send of an order made in SET 3.
func sentBefore(o Order, state State) Sending {
	o = must(DefaultLimits().Check(o))
	id := idAt(77).Body().In(3)
	e := DefaultLimits().New(o, id, drawKey().Seed(id).Commitment(), noon().Add(-time.Minute))
	e.State = state
	return Sending{Envelope: e, Key: o.Key, Hash: o.Hash()}
}

func TestARepeatedSendReturnsTheFirst(t *testing.T) {
	order := luckyOrder(1000, 10)
	for _, state := range allStates() {
		first := sentBefore(order, state)
		want, calls := Sent{Envelope: first.Envelope}, ""
		if state == Unpaid {
			want.CodeURL, calls = "pay://"+string(first.Envelope.ID), ", prepay 003"
		}
		for _, row := range []struct {
			name  string
			f     *shelf
			calls string
		}{
			{"found", &shelf{kept: map[SetNumber]Sending{3: first}}, "find 007, find 003"},
			{"found past a busy SET", &shelf{kept: map[SetNumber]Sending{3: first}, findErr: map[SetNumber]error{7: busy("007")}}, "find 007, find 003"},
			{"there at the commit", &shelf{before: &first}, "find 007, find 003, mint, create 007"},
		} {
			t.Run(string(state)+", "+row.name, func(t *testing.T) {
				row.f.sets = []SetNumber{7, 3}
				got, err := tellerAt(row.f).Send(t.Context(), order)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-want +have)\n%s", diff)
				}
				if have := strings.Join(row.f.calls[1:], ", "); have != row.calls+calls {
					t.Errorf("have %s\nwant %s", have, row.calls+calls)
				}
				for _, c := range row.f.charges {
					if c.ExpiresAt != first.Envelope.CreatedAt.Add(15*time.Minute) || c.Amount != 1000 {
						t.Errorf("the repeat is another charge: %+v", c)
					}
				}
			})
		}
	}
}

func TestAKeyUsedForAnotherOrderIsRefused(t *testing.T) {
	first := sentBefore(luckyOrder(1001, 10), Unpaid)
	for name, f := range map[string]*shelf{
		"found": {kept: map[SetNumber]Sending{3: first}}, "there at the commit": {before: &first},
	} {
		f.sets = []SetNumber{7, 3}
		got, err := tellerAt(f).Send(t.Context(), luckyOrder(1000, 10))
		if !errors.Is(err, ErrKeyReused) || got != (Sent{}) || len(f.charges) != 0 {
			t.Errorf("%s: have %+v, %v and %d charges, want ErrKeyReused", name, got, err, len(f.charges))
		}
	}
}

func TestAnInterruptedSendIsTakenUpByItsRepeat(t *testing.T) {
	f := &shelf{sets: []SetNumber{7, 3}, prepayErr: ErrUnknownOutcome}
	if _, err := tellerAt(f).Send(t.Context(), luckyOrder(1000, 10)); !errors.Is(err, ErrUnknownOutcome) {
		t.Fatalf("have %v, want ErrUnknownOutcome", err)
	}
	f.prepayErr, f.kept = nil, map[SetNumber]Sending{7: f.created[0]}
	got, err := tellerAt(f).Send(t.Context(), luckyOrder(1000, 10))
	if err != nil || got.Envelope != f.created[0].Envelope || got.CodeURL == "" {
		t.Errorf("have %+v, %v", got, err)
	}
	if len(f.created) != 1 || len(f.charges) != 2 || f.charges[0] != f.charges[1] {
		t.Errorf("%d envelopes and charges %+v, want one of each under one number (I7)", len(f.created), f.charges)
	}
}

func TestARepeatAheadOfTheNewsOfItsPaymentReturnsTheFirst(t *testing.T) {
	first := &shelf{sets: []SetNumber{7}}
	if _, err := tellerAt(first).Send(t.Context(), luckyOrder(1000, 10)); err != nil {
		t.Fatal(err)
	}
	for _, news := range []error{ErrChargePaid, ErrChargeClosed} {
		f := &shelf{sets: []SetNumber{7}, prepayErr: fmt.Errorf("prepay: %w", news), kept: map[SetNumber]Sending{7: first.created[0]}}
		got, err := tellerAt(f).Send(t.Context(), luckyOrder(1000, 10))
		if err != nil || got.Envelope != first.created[0].Envelope || got.CodeURL != "" {
			t.Errorf("%v: have %+v, %v", news, got, err)
		}
	}
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

func TestGrabAndOpenWantTheTicketBeforeAnythingElse(t *testing.T) {
	ticket := someTickets().Mint(idAt(0))
	for name, s := range map[string]string{"none": "", "of another envelope": someTickets().Mint(idAt(1)), "spoiled": spoiled(ticket, 23, 'A'), "cut": ticket[:23]} {
		f := &shelf{}
		if got, err := tellerAt(f).Grab(t.Context(), idAt(0), "amy", s); got != "" || !errors.Is(err, ErrNotFound) {
			t.Errorf("grab, ticket %s: have %q, %v", name, got, err)
		}
		if got, err := tellerAt(f).Open(t.Context(), idAt(0), "amy", s); got != (Opening{}) || !errors.Is(err, ErrNotFound) {
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

func TestOpenReturnsTheOutcomeAndRaisesTheRefusal(t *testing.T) {
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
		got, err := tellerAt(f).Open(t.Context(), idAt(0), "amy", someTickets().Mint(idAt(0)))
		if got != row.opening || !errors.Is(err, row.want) || !slices.Equal(f.calls, []string{"open amy"}) {
			t.Errorf("%+v, %v: have %+v, %v after %v", row.opening, row.err, got, err, f.calls)
		}
	}
}

func TestATellerWantsAllItsParts(t *testing.T) {
	f := &shelf{}
	whole := TellerConfig{Orders: f, Opener: f, Provider: f, DrawKey: drawKey(), Tickets: someTickets(), Limits: DefaultLimits(), Now: noon}
	var none DrawKey
	for _, row := range []struct {
		edit func(*TellerConfig)
		want string
	}{
		{func(c *TellerConfig) { c.Orders = nil }, "orders"},
		{func(c *TellerConfig) { c.Opener = nil }, "opener"},
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
