package envelope

import (
	"errors"
	"slices"
	"testing"
)

// TestAPayoutIsAskedForAgain (FS16).
func TestAPayoutIsAskedForAgain(t *testing.T) {
	snapshot := atState(Expired)
	own := PayoutOf(&snapshot.Envelope, snapshot.Shares[0]) // amy's
	other := PayoutOf(&snapshot.Envelope, snapshot.Shares[1])
	refund, _ := RefundOf(&snapshot.Envelope)
	with := func(t Transfer, payee UserID, state TransferState, reason string) Transfer {
		t.Payee, t.State, t.Reason = payee, state, reason
		return t
	}
	good := someTickets().Mint(idAt(0))
	const again = "again 1 of amy"
	for _, row := range []struct {
		name      string
		user      UserID
		ticket    string
		transfers []Transfer
		againErr  error
		want      []TransferState
		err       error
		calls     []string // of Again
	}{
		{"overdue", "amy", good, []Transfer{with(own, "amy", Held, CodeOverdue)}, nil, []TransferState{Pending}, nil, []string{again}},
		{"taken back", "amy", good, []Transfer{with(own, "amy", Held, CodeCancelled)}, nil, []TransferState{Pending}, nil, []string{again}},
		{"overdue, and people decide", "amy", good, []Transfer{with(own, "amy", Held, CodeOverdue)}, ErrPayoutHeld, nil, ErrPayoutHeld, []string{again}},
		{"overdue, and the SET is down", "amy", good, []Transfer{with(own, "amy", Held, CodeOverdue)}, ErrUnknownOutcome, nil, ErrUnknownOutcome, []string{again}},
		{"refused for another reason", "amy", good, []Transfer{with(own, "amy", Held, "ACCOUNT_FROZEN")}, nil, nil, ErrPayoutHeld, nil},
		{"stuck", "amy", good, []Transfer{with(own, "amy", Stuck, "NO_AUTH")}, nil, nil, ErrPayoutHeld, nil},
		{"pending", "amy", good, []Transfer{with(own, "amy", Pending, "")}, nil, []TransferState{Pending}, nil, nil},
		{"not spread yet", "amy", good, nil, nil, []TransferState{Pending}, nil, nil},
		{"posted", "amy", good, []Transfer{with(own, "amy", Posted, "")}, nil, []TransferState{Posted}, nil, nil},
		{"another's by now", "amy", good, []Transfer{with(own, "eve", Held, CodeOverdue)}, nil, []TransferState{Redirected}, nil, nil},
		{"the other one", "eve", "", []Transfer{with(own, "eve", Held, CodeOverdue)}, nil, []TransferState{Pending}, nil, []string{"again 1 of eve"}},
		{"one of two", "amy", good, []Transfer{with(own, "amy", Posted, ""), with(other, "amy", Held, CodeOverdue)}, nil, []TransferState{Posted, Pending}, nil, []string{"again 2 of amy"}},
		{"without a share", "eve", good, []Transfer{own}, nil, nil, ErrNotFound, nil},
		{"of the sender, who has a refund", "ann", "", []Transfer{with(refund, "ann", Held, CodeOverdue)}, nil, nil, ErrNotFound, nil},
		{"without the ticket", "amy", "", []Transfer{with(own, "amy", Held, CodeOverdue)}, nil, nil, ErrNotFound, nil},
		{"with another ticket", "amy", someTickets().Mint(idAt(1)), []Transfer{with(own, "amy", Held, CodeOverdue)}, nil, nil, ErrNotFound, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := &shelf{snapshot: snapshot, transfers: map[int]Transfer{}, againErr: row.againErr}
			for _, tr := range row.transfers {
				f.transfers[tr.Seq] = tr
			}
			got, err := tellerAt(f).Payout(t.Context(), idAt(0), row.user, row.ticket)
			var states []TransferState
			for _, tr := range got {
				states = append(states, tr.State)
			}
			calls := slices.DeleteFunc(slices.Clone(f.calls), func(call string) bool { return call[:min(5, len(call))] != "again" })
			if !errors.Is(err, row.err) || !slices.Equal(states, row.want) || !slices.Equal(calls, row.calls) {
				t.Errorf("got %v, %v after %v, want %v, %v after %v", states, err, calls, row.want, row.err, row.calls)
			}
		})
	}
}
