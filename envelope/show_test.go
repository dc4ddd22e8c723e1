package envelope

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// atState is ann's lucky envelope of 3 shares in a state, read an hour after
// noon.
func atState(state State) Snapshot {
	e, seed := paid(luckyOrder(1000, 3), DefaultLimits())
	openers := []UserID{"amy", "ben"}
	switch state {
	case Unpaid, Closed:
		openers = nil
	case Empty:
		openers = append(openers, "cat")
	}
	e, openings := Decide(e, seed, openers, nobody, e.PaidAt)
	s := Snapshot{Now: noon().Add(time.Hour)}
	for _, o := range openings {
		s.Shares = append(s.Shares, o.Share)
	}
	if e.State = state; state == Expired || state == Settled {
		e.Refunded, e.FinishedAt = e.Remaining(), e.ExpiresAt
	}
	s.Envelope = e
	return s
}

func TestShowNeedsTheSenderOrTheTicket(t *testing.T) {
	id := idAt(0)
	good, other := someTickets().Mint(id), someTickets().Mint(idAt(1))
	for _, row := range []struct {
		name   string
		user   UserID
		ticket string
		err    error
		calls  []string
	}{
		{"the sender", "ann", "", nil, []string{"show", "transfers of ann"}},
		{"the sender with the ticket", "ann", good, nil, []string{"show", "transfers of ann"}},
		{"a member with the ticket", "eve", good, nil, []string{"show", "transfers of eve"}},
		{"an opener with the ticket", "amy", good, nil, []string{"show", "transfers of amy"}},
		{"a stranger", "eve", "", ErrNotFound, []string{"show", "transfers of eve"}},
		{"an opener without the ticket", "amy", "", ErrNotFound, []string{"show", "transfers of amy"}},
		{"nobody", "", "", ErrNotFound, []string{"show", "transfers of "}},
		{"a stranger with another ticket", "eve", other, ErrNotFound, nil},
		{"a stranger with a spoiled ticket", "eve", good[:23] + "!", ErrNotFound, nil},
		{"the sender with another ticket", "ann", other, ErrNotFound, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := &shelf{snapshot: atState(Active)}
			got, err := tellerAt(f).Show(t.Context(), id, row.user, row.ticket)
			if !errors.Is(err, row.err) || !slices.Equal(f.calls, row.calls) {
				t.Errorf("have %v after %v, want %v after %v", err, f.calls, row.err, row.calls)
			}
			if (got.Envelope == Envelope{}) != (row.err != nil) {
				t.Errorf("error %v, and shown %+v", err, got)
			}
			wantTicket := ""
			if row.user == "ann" && row.err == nil {
				wantTicket = good
			}
			if got.Ticket != wantTicket {
				t.Errorf("have ticket %q, want %q: the sender's show carries it, nobody else's", got.Ticket, wantTicket)
			}
		})
	}
}

func TestAbsentAndForbiddenLookTheSame(t *testing.T) {
	forbidden, err := tellerAt(&shelf{snapshot: atState(Empty)}).Show(t.Context(), idAt(0), "eve", "")
	absent, missing := tellerAt(&shelf{readErr: ErrNotFound}).Show(t.Context(), idAt(0), "eve", "")
	if diff := cmp.Diff(absent, forbidden); diff != "" || !errors.Is(err, ErrNotFound) || !errors.Is(missing, ErrNotFound) {
		t.Errorf("absent: %v, forbidden: %v\n%s", missing, err, diff)
	}
	if _, err := tellerAt(&shelf{readErr: busy("003")}).Show(t.Context(), idAt(0), "ann", ""); !isBusy(err) {
		t.Errorf("a busy SET: have %v", err)
	}
}

func TestSeedIsShownOnceFinished(t *testing.T) {
	seed := drawKey().Seed(idAt(0))
	for _, row := range []struct {
		state            State
		finished, ticket bool
	}{
		{Unpaid, false, false}, {Active, false, true}, {Empty, true, true}, {Expired, true, true}, {Settled, true, true}, {Closed, false, false},
	} {
		t.Run(string(row.state), func(t *testing.T) {
			snapshot := atState(row.state)
			want := Details{Envelope: snapshot.Envelope, Shares: snapshot.Shares}
			if row.finished {
				want.Seed, want.BestLuck = &seed, BestLuck(&snapshot.Envelope, snapshot.Shares)
				if want.BestLuck == 0 {
					t.Fatal("the fixture has no luckiest")
				}
			}
			if row.ticket {
				want.Ticket = someTickets().Mint(idAt(0))
			}
			if refund, owed := RefundOf(&snapshot.Envelope); owed {
				want.Refund = &refund
			}
			got, err := tellerAt(&shelf{snapshot: snapshot}).Show(t.Context(), idAt(0), "ann", "")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
		})
	}
}

// TestShowBeforeTheSweepKeepsTheSeed: an open that locked the row in time may
// still commit, so the draw is secret until the row says that it is over.
func TestShowBeforeTheSweepKeepsTheSeed(t *testing.T) {
	for _, row := range []struct {
		late time.Duration
		want State
	}{{-1, Active}, {0, Expired}, {time.Hour, Expired}} {
		snapshot := atState(Active)
		snapshot.Now = snapshot.Envelope.ExpiresAt.Add(row.late)
		got, err := tellerAt(&shelf{snapshot: snapshot}).Show(t.Context(), idAt(0), "ann", "")
		if err != nil || got.Envelope.State != row.want {
			t.Errorf("%v late: have %q, %v, want %s", row.late, got.Envelope.State, err, row.want)
		}
		if got.Seed != nil || got.BestLuck != 0 {
			t.Errorf("%v late: seed %v and luckiest %d of a draw that may go on", row.late, got.Seed, got.BestLuck)
		}
		unchanged := got.Envelope
		unchanged.State = Active
		if diff := cmp.Diff(snapshot.Envelope, unchanged); diff != "" {
			t.Errorf("%v late: more than the state differs\n%s", row.late, diff)
		}
	}
}

func TestShowRefusesAnUncommittedSeed(t *testing.T) {
	for _, state := range allStates() {
		snapshot := atState(state)
		snapshot.Envelope.Commitment[31] ^= 1
		got, err := tellerAt(&shelf{snapshot: snapshot}).Show(t.Context(), idAt(0), "ann", "")
		if !state.Finished() {
			if err != nil {
				t.Errorf("%s: %v", state, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), "the draw key is not the one it was sent under") || got.Seed != nil || got.Ticket != "" {
			t.Errorf("%s: have %+v, %v", state, got, err)
		}
		if errors.Is(err, ErrNotFound) || isBusy(err) {
			t.Errorf("%s: %v is a fault, not a refusal", state, err)
		}
	}
}

func TestShowGivesEachUserTheirTransfers(t *testing.T) {
	snapshot := atState(Expired)
	paidOut := PayoutOf(&snapshot.Envelope, snapshot.Shares[1])
	paidOut.State = Posted
	refund, _ := RefundOf(&snapshot.Envelope)
	ticket := someTickets().Mint(idAt(0))
	owed := PayoutOf(&snapshot.Envelope, snapshot.Shares[0])
	f := &shelf{snapshot: snapshot, transfers: map[int]Transfer{0: refund, 2: paidOut}}
	for user, want := range map[UserID]struct {
		payouts []Transfer
		refund  *Transfer
	}{
		"amy": {payouts: []Transfer{owed}}, // not spread yet
		"ben": {payouts: []Transfer{paidOut}},
		"ann": {refund: &refund},
		"eve": {},
	} {
		got, err := tellerAt(f).Show(t.Context(), idAt(0), user, ticket)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.payouts, got.Payouts); diff != "" {
			t.Errorf("%s's payouts:\n%s", user, diff)
		}
		if diff := cmp.Diff(want.refund, got.Refund); diff != "" {
			t.Errorf("%s's refund:\n%s", user, diff)
		}
	}
	f.transferErr = busy("003")
	if _, err := tellerAt(f).Show(t.Context(), idAt(0), "amy", ticket); !isBusy(err) {
		t.Errorf("a busy SET: have %v", err)
	}
}

// TestAPayoutIsShownToItsPayee has people redirect payouts: what is needed to
// confirm one is for its payee's eyes, whether that is an opener, a member of the
// group or a stranger to it (FS5).
func TestAPayoutIsShownToItsPayee(t *testing.T) {
	snapshot := atState(Empty)
	payout := func(seq int, payee UserID, hint string) Transfer {
		p := PayoutOf(&snapshot.Envelope, snapshot.Shares[seq-1])
		if p.Payee != payee {
			p.Payee, p.Round = payee, 2
		}
		p.Placed, p.Hint = true, hint
		return p
	}
	gone := func(p Transfer) Transfer {
		return Transfer{OrderNo: p.OrderNo, Seq: p.Seq, Round: 1, Amount: p.Amount, Charged: p.Charged, State: Redirected, CreatedAt: p.CreatedAt}
	}
	toHeir, ben, toBen := payout(1, "heir", "for heir"), payout(2, "ben", "for ben"), payout(3, "ben", "for ben too")
	later := toHeir
	later.Seq = 4 // of a share that the snapshot does not know of yet
	f := &shelf{snapshot: snapshot, transfers: map[int]Transfer{1: toHeir, 2: ben, 3: toBen, 4: later}}
	ticket := someTickets().Mint(idAt(0))
	for _, row := range []struct {
		user   UserID
		ticket string
		want   []Transfer
		err    error
	}{
		{"heir", "", []Transfer{toHeir}, nil},
		{"heir", ticket, []Transfer{toHeir}, nil},
		{"amy", ticket, []Transfer{gone(toHeir)}, nil},
		{"amy", "", nil, ErrNotFound},
		{"ben", ticket, []Transfer{ben, toBen}, nil},
		{"cat", ticket, []Transfer{gone(toBen)}, nil},
		{"eve", "", nil, ErrNotFound},
		{"eve", ticket, nil, nil},
	} {
		got, err := tellerAt(f).Show(t.Context(), idAt(0), row.user, row.ticket)
		if !errors.Is(err, row.err) {
			t.Errorf("%s with ticket %q: have %v, want %v", row.user, row.ticket, err, row.err)
		}
		if diff := cmp.Diff(row.want, got.Payouts); diff != "" {
			t.Errorf("%s with ticket %q:\n%s", row.user, row.ticket, diff)
		}
	}
}
