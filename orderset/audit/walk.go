package audit

import (
	"context"
	"fmt"

	"hongbao/envelope"
	"hongbao/orderset/layout"
)

// Walk visits every envelope of the SET, with its shares and its transfers, table
// by table in the order of the IDs: what other books are compared with. It reads
// rows as they are, so others should not be writing.
func (a *Auditor) Walk(ctx context.Context, visit func(s *envelope.Statement, transfers []envelope.Transfer) error) error {
	tables, err := layout.DayTables(ctx, a.db)
	if err != nil {
		return fmt.Errorf("walk: %w", err)
	}
	r := &review{auditor: a}
	for _, t := range tables {
		for after := envelope.ID(""); after != layout.LastPossibleID; {
			p, err := r.page(ctx, t, after)
			if err == nil {
				err = p.visit(visit)
			}
			if err != nil {
				return fmt.Errorf("walk: %s: %w", t.Envelopes(), err)
			}
			after = p.last
		}
	}
	return nil
}

// visit goes through a page: headers, shares and transfers are all in the order
// of the IDs.
func (p *page) visit(visit func(*envelope.Statement, []envelope.Transfer) error) error {
	shares, transfers := p.shares, p.transfers
	for i := range p.envelopes {
		e := &p.envelopes[i]
		s := envelope.Statement{Snapshot: envelope.Snapshot{Envelope: *e, Now: p.now}}
		for ; len(shares) > 0 && shares[0].ID <= e.ID; shares = shares[1:] {
			if shares[0].ID == e.ID {
				s.Shares = append(s.Shares, shares[0].Share)
			}
		}
		n := 0
		for n < len(transfers) && transfers[n].OrderNo <= e.ID {
			n++
		}
		for _, t := range transfers[:n] {
			if t.IsRefund() && t.State == envelope.Posted {
				s.Refund.Amount = t.Amount
			}
		}
		if err := visit(&s, transfers[:n]); err != nil {
			return err
		}
		transfers = transfers[n:]
	}
	return nil
}
