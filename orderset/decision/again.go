package decision

import (
	"context"
	"database/sql"
	"fmt"

	"hongbao/envelope"
	"hongbao/orderset/layout"
	"hongbao/orderset/owed"
	"hongbao/orderset/setdb"
)

// Again begins the next round of a payout that user, its payee, had not confirmed in
// time. No people are asked: the same payee gets the same money, and the provider has
// said, signed, that the earlier number is closed (I7). It is written down as what
// was decided (I8). A repeat finds the round begun and returns it.
func (s *Desk) Again(ctx context.Context, id envelope.ID, seq int, user envelope.UserID) (t envelope.Transfer, err error) {
	err = s.db.TxRepeat(ctx, func(ctx context.Context, c *sql.Conn) error {
		m, err := lockMatterOf(ctx, c, layout.TransferKey{ID: id, Seq: seq})
		if err != nil {
			return err
		}
		t = m.Transfer
		if t.Payee != user || t.IsRefund() {
			return owed.ErrNoTransfer(t.No())
		}
		if t.State == envelope.Pending || t.State == envelope.Posted {
			return nil
		}
		if why := m.mayAsk(); why != "" {
			return fmt.Errorf("payout %s %s: %w", t.No(), why, envelope.ErrPayoutHeld)
		}
		t, err = s.beginUnconfirmed(ctx, c, m, Proposal{Action: ActionAgain, By: string(user)})
		return err
	})
	return t, s.db.Answer("again "+envelope.TransferNo(id, seq, 1), err)
}

// mayAsk is why the next round of m does not begin without people; "" says that it
// does. A release that was proposed is no reason: it asks for the same.
func (m *matter) mayAsk() string {
	d := m.standing()
	switch {
	case !m.Unconfirmed() || m.Batch != "":
		return "is " + string(m.State) + ": " + m.Reason
	case len(m.disputes) > 0:
		return "is disputed: " + m.disputes[0].what
	case m.Round >= envelope.RoundMax:
		return fmt.Sprintf("has been through %d rounds", envelope.RoundMax)
	case d != nil && !d.lapsed() && d.Action != ActionRelease:
		return "is being decided about: " + d.String()
	}
	return ""
}

// beginUnconfirmed begins the next round for a decision that needs no second person.
func (s *Desk) beginUnconfirmed(ctx context.Context, c *sql.Conn, m *matter, p Proposal) (envelope.Transfer, error) {
	if d := m.standing(); d != nil {
		if err := setdb.Move(ctx, c, endDecision, decisionLapsed, "", d.ID); err != nil {
			return envelope.Transfer{}, err
		}
	}
	d := Decision{Proposal: p, DecidedBy: p.By}
	if err := d.insert(ctx, c, &m.Stored); err != nil {
		return envelope.Transfer{}, err
	}
	if p.Payee != "" {
		m.Payee = p.Payee
	}
	if err := s.owed.BeginRound(ctx, c, &m.Stored); err != nil {
		return envelope.Transfer{}, err
	}
	ts, err := layout.QueryTransfers(ctx, c, layout.SelectTransfer, m.OrderNo, m.Seq)
	if err == nil && len(ts) != 1 {
		err = owed.ErrNoTransfer(m.No())
	}
	if err != nil {
		return envelope.Transfer{}, err
	}
	return ts[0], nil
}
