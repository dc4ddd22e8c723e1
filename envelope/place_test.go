package envelope

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func wantCalls(t *testing.T, f *shelf, want string) {
	t.Helper()
	if have := strings.Join(f.calls, ", "); have != want {
		t.Errorf("have %s\nwant %s", have, want)
	}
}

func TestSendTriesSetsWhileTheyAreBusy(t *testing.T) {
	fault := errors.New("disk on fire")
	for _, row := range []struct {
		name    string
		mint    error
		create  map[SetNumber]error
		want    string // calls
		wantErr error
	}{
		{"all is well", nil, nil,
			"mint, candidates ann k-1, create 007, claim 003, prepay 007", nil},
		{"the best SET refuses", nil, map[SetNumber]error{7: busy("007")},
			"mint, candidates ann k-1, create 007, create 003, claim 007, prepay 003", nil},
		{"only the last takes it", nil, map[SetNumber]error{7: busy("007"), 3: busy("003")},
			"mint, candidates ann k-1, create 007, create 003, create 004, claim 007, prepay 004", nil},
		{"nobody knows what a SET did", nil, map[SetNumber]error{7: fmt.Errorf("commit: %w", ErrUnknownOutcome)},
			"mint, candidates ann k-1, create 007", ErrUnknownOutcome},
		{"nobody knows, after a refusal", nil, map[SetNumber]error{7: busy("007"), 3: ErrUnknownOutcome},
			"mint, candidates ann k-1, create 007, create 003", ErrUnknownOutcome},
		{"a SET is broken", nil, map[SetNumber]error{7: fault},
			"mint, candidates ann k-1, create 007", fault},
		{"the caller has gone", nil, map[SetNumber]error{7: context.Canceled},
			"mint, candidates ann k-1, create 007", context.Canceled},
		{"no mint", fault, nil,
			"mint", fault},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := &shelf{sets: []SetNumber{7, 3, 4}, mintErr: row.mint, createErr: row.create}
			got, err := tellerAt(f).Send(t.Context(), luckyOrder(1000, 10))
			if !errors.Is(err, row.wantErr) {
				t.Errorf("have error %v, want %v", err, row.wantErr)
			}
			wantCalls(t, f, row.want)
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
		reason Reason
	}{{"no SET mints", nil, "no_set_available"}, {"every SET refuses", []SetNumber{7, 3}, "set_003"}} {
		t.Run(row.name, func(t *testing.T) {
			f := &shelf{sets: row.sets, homes: []SetNumber{7, 3}, createErr: map[SetNumber]error{7: busy("007"), 3: busy("003")}}
			_, err := tellerAt(f).Send(t.Context(), luckyOrder(1000, 10))
			wantBusyReason(t, err, row.reason)
			if len(f.charges) != 0 {
				t.Error("a charge was placed for an envelope nobody has")
			}
		})
	}
}

func wantBusyReason(t *testing.T, err error, reason Reason) {
	t.Helper()
	no, ok := errors.AsType[*BusyError](err)
	if !ok || no.Reason != reason || no.RetryAfter != time.Second || errors.Is(err, ErrUnknownOutcome) {
		t.Errorf("have %v, want busy: %s", err, reason)
	}
}

// FS2: a home that was not heard is never taken for one without a record.
func TestASendIsBusyWhileTooFewHomesAnswer(t *testing.T) {
	fault, all := errors.New("disk on fire"), []SetNumber{7, 3, 4}
	for _, row := range []struct {
		name   string
		homes  []SetNumber
		find   map[SetNumber]error
		claim  map[SetNumber]error
		reason Reason // "": sent
	}{
		{"one of three is down", all, map[SetNumber]error{7: busy("007")}, nil, ""},
		{"one of three is broken", all, map[SetNumber]error{7: fault}, nil, ""},
		{"two of three are down", all, map[SetNumber]error{7: busy("007"), 4: busy("004")}, nil, "send_unconfirmed"},
		{"two of three are broken", all, map[SetNumber]error{3: fault, 4: ErrUnknownOutcome}, nil, "send_unconfirmed"},
		{"one of two is down", []SetNumber{7, 3}, map[SetNumber]error{3: busy("003")}, nil, "send_unconfirmed"},
		{"one of two is down, and there is a witness", []SetNumber{7, 3, theWitness}, map[SetNumber]error{3: busy("003")}, map[SetNumber]error{3: busy("003")}, ""},
		{"one of two and the witness are down", []SetNumber{7, 3, theWitness}, map[SetNumber]error{3: busy("003"), theWitness: busy("w")}, nil, "send_unconfirmed"},
		{"one goes down before the claim", all, nil, map[SetNumber]error{3: busy("003")}, ""},
		{"nobody knows whether one claimed", all, nil, map[SetNumber]error{3: ErrUnknownOutcome}, ""},
		{"two go down before the claim", all, nil, map[SetNumber]error{3: busy("003"), 4: ErrUnknownOutcome}, "send_unconfirmed"},
		{"the only home is down", []SetNumber{7}, map[SetNumber]error{7: busy("007")}, nil, "send_unconfirmed"},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := &shelf{sets: []SetNumber{7, 3, 4}, homes: row.homes, findErr: row.find, claimErr: row.claim}
			_, err := tellerAt(f).Send(t.Context(), luckyOrder(1000, 10))
			if row.reason == "" {
				if err != nil || len(f.charges) != 1 {
					t.Errorf("have %v and %d charges, want it sent", err, len(f.charges))
				}
				return
			}
			wantBusyReason(t, err, row.reason)
			if len(f.charges) != 0 {
				t.Error("a charge was placed")
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
	if len(f.charges) != 1 || f.charges[0].OrderNo != id || f.charges[0].Amount != 1000 || !f.charges[0].ExpiresAt.Equal(noon().Add(15*time.Minute)) {
		t.Errorf("the charge: %+v", f.charges)
	}
}

func TestARefusedOrderTouchesNothing(t *testing.T) {
	f := &shelf{sets: []SetNumber{7}}
	got, err := tellerAt(f).Send(t.Context(), luckyOrder(9, 10))
	wantInvalid(t, err, "total_fen", "must be 10 to 200000 fen")
	if len(f.calls) != 0 || f.finds != 0 || got != (Sent{}) {
		t.Errorf("have %+v after %v", got, f.calls)
	}
}

// sentBefore is what an earlier send of an order made in SET 3, at an age.
func sentBefore(o Order, state State, age time.Duration) (Envelope, KeyRecord) {
	o = must(DefaultLimits().Check(o))
	id := idAt(77).Body().In(3)
	e := DefaultLimits().New(o, id, drawKey().Seed(id).Commitment(), noon().Add(-age))
	e.State = state
	s := Sending{Envelope: e, Key: o.Key, Hash: o.Hash()}
	return e, s.Record()
}

func TestARepeatedSendReturnsTheFirst(t *testing.T) {
	order := luckyOrder(1000, 10)
	for _, state := range allStates() {
		first, r := sentBefore(order, state, time.Minute)
		want, prepay := Sent{Envelope: first}, ""
		if state == Unpaid {
			want.CodeURL, prepay = "pay://"+string(first.ID), ", prepay 003"
		}
		for name, row := range map[string]struct {
			f     *shelf
			calls string
		}{
			"in a majority":              {&shelf{kept: map[SetNumber]KeyRecord{7: r, 3: r}}, "sent 003"},
			"past a busy home":           {&shelf{kept: map[SetNumber]KeyRecord{4: r, 3: r}, findErr: map[SetNumber]error{7: busy("007")}}, "sent 003"},
			"of which one home knows":    {&shelf{kept: map[SetNumber]KeyRecord{3: r}}, "claim 007, sent 003"},
			"whose claim was lost twice": {&shelf{kept: map[SetNumber]KeyRecord{3: r}, claimErr: map[SetNumber]error{7: busy("007")}}, "claim 007, claim 004, sent 003"},
			"there at the commit":        {&shelf{before: &r}, "mint, candidates ann k-1, create 007, claim 003, sent 003"},
		} {
			t.Run(string(state)+", "+name, func(t *testing.T) {
				row.f.sets, row.f.sent = []SetNumber{7, 3, 4}, map[ID]Envelope{first.ID: first}
				got, err := tellerAt(row.f).Send(t.Context(), order)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-want +have)\n%s", diff)
				}
				wantCalls(t, row.f, row.calls+prepay)
			})
		}
	}
}

// FS2: what was made in a SET that is down now is known elsewhere, and waits.
func TestRepeatOfAnUnreadableEnvelopeIsBusy(t *testing.T) {
	first, r := sentBefore(luckyOrder(1000, 10), Unpaid, time.Minute)
	f := &shelf{sets: []SetNumber{7, 3, 4}, kept: map[SetNumber]KeyRecord{7: r}, findErr: map[SetNumber]error{3: busy("003")}, sentErr: busy("003")}
	_, err := tellerAt(f).Send(t.Context(), luckyOrder(1000, 10))
	wantBusyReason(t, err, "set_003")
	if len(f.created) != 0 || len(f.charges) != 0 {
		t.Errorf("%s cannot be read, and %+v was made", first.ID, f.created)
	}
	f.sentErr = fmt.Errorf("SET 003: %w", ErrUnknownSet) // FS23
	_, err = tellerAt(f).Send(t.Context(), luckyOrder(1000, 10))
	if no, ok := errors.AsType[*BusyError](err); !ok || no.Reason != "set_unavailable" {
		t.Errorf("a SET that this server does not know: %v, want busy", err)
	}
	f.sentErr = nil // the day's tables have gone
	if _, err := tellerAt(f).Send(t.Context(), luckyOrder(1000, 10)); !errors.Is(err, ErrKeyReused) {
		t.Errorf("an envelope that is not kept any more: %v, want ErrKeyReused", err)
	}
}

func TestAKeyUsedForAnotherOrderIsRefused(t *testing.T) {
	_, r := sentBefore(luckyOrder(1001, 10), Unpaid, time.Minute)
	for name, f := range map[string]*shelf{
		"in a majority":            {kept: map[SetNumber]KeyRecord{3: r, 7: r}},
		"of which one home knows":  {kept: map[SetNumber]KeyRecord{3: r}},
		"past a home that is down": {kept: map[SetNumber]KeyRecord{3: r}, findErr: map[SetNumber]error{7: busy("007")}},
		"there at the commit":      {before: &r},
		"there at the claims":      {claimErr: map[SetNumber]error{}, kept: map[SetNumber]KeyRecord{4: r}, homes: []SetNumber{7, 3, 4}},
	} {
		f.sets = []SetNumber{7, 3, 4}
		if name == "there at the claims" { // a majority knows nothing of it, and then cannot be claimed
			f.claimErr = map[SetNumber]error{3: busy("003")}
			f.before = &r
		}
		got, err := tellerAt(f).Send(t.Context(), luckyOrder(1000, 10))
		if !errors.Is(err, ErrKeyReused) || got != (Sent{}) || len(f.charges) != 0 {
			t.Errorf("%s: have %+v, %v and %d charges, want ErrKeyReused", name, got, err, len(f.charges))
		}
	}
}

// FS2: three sends of one key that each made an envelope in another home, none of
// which can have a majority any more.
func TestAKeyWithoutAWinnerIsRefusedForGood(t *testing.T) {
	kept := map[SetNumber]KeyRecord{}
	for n, set := range []SetNumber{7, 3, 4} {
		_, r := sentBefore(luckyOrder(1000, 10), Unpaid, time.Minute)
		r.ID = idAt(n).Body().In(set)
		kept[set] = r
	}
	f := &shelf{sets: []SetNumber{7, 3, 4}, kept: maps.Clone(kept)}
	if _, err := tellerAt(f).Send(t.Context(), luckyOrder(1000, 10)); !errors.Is(err, ErrKeyReused) || len(f.charges) != 0 {
		t.Errorf("have %v and %d charges, want ErrKeyReused", err, len(f.charges))
	}
	delete(f.kept, 4) // of two, the one whose ID is lower is claimed for
	sent := map[ID]Envelope{kept[7].ID: {ID: kept[7].ID, State: Closed}}
	f = &shelf{sets: f.sets, kept: f.kept, sent: sent}
	if got, err := tellerAt(f).Send(t.Context(), luckyOrder(1000, 10)); err != nil || got.Envelope.ID != kept[7].ID {
		t.Errorf("have %+v, %v, want %s", got, err, kept[7].ID)
	}
}

func TestRepeatTakesUpAnInterruptedSend(t *testing.T) {
	f := &shelf{sets: []SetNumber{7, 3}, prepayErr: ErrUnknownOutcome}
	if _, err := tellerAt(f).Send(t.Context(), luckyOrder(1000, 10)); !errors.Is(err, ErrUnknownOutcome) {
		t.Fatalf("have %v, want ErrUnknownOutcome", err)
	}
	first := f.created[0]
	f.prepayErr, f.kept, f.sent = nil, map[SetNumber]KeyRecord{7: first.Record()}, map[ID]Envelope{first.Envelope.ID: first.Envelope}
	got, err := tellerAt(f).Send(t.Context(), luckyOrder(1000, 10))
	if err != nil || got.Envelope != first.Envelope || got.CodeURL == "" {
		t.Errorf("have %+v, %v", got, err)
	}
	if len(f.created) != 1 || len(f.charges) != 2 || f.charges[0] != f.charges[1] {
		t.Errorf("%d envelopes and charges %+v, want one of each under one number (I7)", len(f.created), f.charges)
	}
}

func TestRepeatAheadOfThePaidCallback(t *testing.T) {
	e, r := sentBefore(luckyOrder(1000, 10), Unpaid, time.Minute)
	for _, news := range []error{ErrChargePaid, ErrChargeClosed} {
		f := &shelf{sets: []SetNumber{7}, prepayErr: fmt.Errorf("prepay: %w", news), kept: map[SetNumber]KeyRecord{7: r}, sent: map[ID]Envelope{e.ID: e}}
		got, err := tellerAt(f).Send(t.Context(), luckyOrder(1000, 10))
		if err != nil || got.Envelope != e || got.CodeURL != "" {
			t.Errorf("%v: have %+v, %v", news, got, err)
		}
	}
}

// FS16: between the end of the time to pay and the closing there is nothing to place.
func TestLateRepeatHasNoAddressToPayAt(t *testing.T) {
	for name, row := range map[string]struct {
		age  time.Duration
		pays bool
	}{
		"in time": {15*time.Minute - time.Millisecond, true}, "at the end": {15 * time.Minute, false}, "late": {time.Hour, false},
	} {
		e, r := sentBefore(luckyOrder(1000, 10), Unpaid, row.age)
		f := &shelf{sets: []SetNumber{7}, kept: map[SetNumber]KeyRecord{7: r}, sent: map[ID]Envelope{e.ID: e}}
		got, err := tellerAt(f).Send(t.Context(), luckyOrder(1000, 10))
		if err != nil || got.Envelope != e || got.CodeURL != "" != row.pays || len(f.charges) > 0 != row.pays {
			t.Errorf("%s: have %+v, %v and %d charges", name, got, err, len(f.charges))
		}
	}
}

// FS23: an authentic ticket proves that the envelope was made, so a SET that this
// server does not know is no reason to say that it was not.
func TestTicketOfAnUnknownSETIsBusy(t *testing.T) {
	unknown := fmt.Errorf("SET 003: %w", ErrUnknownSet)
	ticket := someTickets().Mint(idAt(0))
	f := &shelf{readErr: unknown, openErr: unknown}
	for name, ask := range map[string]func(ticket string) error{
		"grab": func(ticket string) error { _, err := tellerAt(f).Grab(t.Context(), idAt(0), "amy", ticket); return err },
		"open": func(ticket string) error {
			_, err := tellerAt(f).Open(t.Context(), OpenRequest{idAt(0), "amy"}, ticket)
			return err
		},
		"show": func(ticket string) error { _, err := tellerAt(f).Show(t.Context(), idAt(0), "amy", ticket); return err },
	} {
		err := ask(ticket)
		if no, ok := errors.AsType[*BusyError](err); !ok || no.Reason != "set_unavailable" || errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v, want busy", name, err)
		}
		if err := ask(""); !errors.Is(err, ErrNotFound) || isBusy(err) {
			t.Errorf("%s without a ticket: %v, want ErrNotFound", name, err)
		}
	}
}
