package decision

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"hongbao/envelope"
	"hongbao/orderset/layout"
	"hongbao/orderset/owed"
	"hongbao/orderset/setdb"
)

// matter is a transfer that is being decided about: locked, with its decisions, the
// oldest first, and the disputes about it.
type matter struct {
	owed.Stored
	round     int    // of the number that was named
	alone     string // the batch in which it is alone and stuck, or ""
	decisions []Decision
	disputes  []openDispute
}

// lockMatter locks the transfer of a number. Where it may be posted its header is
// locked before.
func lockMatter(ctx context.Context, c *sql.Conn, no string) (*matter, error) {
	id, seq, round, err := envelope.ParseTransferNo(no)
	if err != nil {
		return nil, owed.ErrNoTransfer(no)
	}
	m, err := lockMatterOf(ctx, c, layout.TransferKey{ID: id, Seq: seq})
	if err == nil && m.Round < round {
		err = owed.ErrNoTransfer(no)
	}
	if err != nil {
		return nil, err
	}
	m.round = round
	return m, nil
}

// lockMatterOf locks a transfer, whatever its round.
func lockMatterOf(ctx context.Context, c *sql.Conn, k layout.TransferKey) (*matter, error) {
	alone, err := lockAlone(ctx, c, k)
	if err != nil {
		return nil, err
	}
	ts, err := owed.LockStored(ctx, c, []layout.TransferKey{k})
	if err == nil && len(ts) == 0 {
		err = owed.ErrNoTransfer(envelope.TransferNo(k.ID, k.Seq, 1))
	}
	if err != nil {
		return nil, err
	}
	m := &matter{Stored: ts[0], round: ts[0].Round}
	if m.State == envelope.Pending && m.Batch == alone {
		m.alone = alone
	}
	if m.decisions, err = queryDecisions(ctx, c, selectDecisionsOf, k.ID, k.Seq); err != nil {
		return nil, err
	}
	open, err := disputesOf(ctx, c, ts)
	m.disputes = open[k]
	return m, err
}

// standing is the proposal that waits for an approval, or nil.
func (m *matter) standing() *Decision {
	i := slices.IndexFunc(m.decisions, func(d Decision) bool { return d.State == decisionStanding })
	if i < 0 {
		return nil
	}
	return &m.decisions[i]
}

// latestDispute is the ID of the latest open dispute, or 0.
func (m *matter) latestDispute() (id int64) {
	for _, d := range m.disputes {
		id = max(id, d.id)
	}
	return id
}

// allows says why an action is not for this transfer.
func (m *matter) allows(action string) error {
	switch {
	case action == ActionDismiss && len(m.disputes) == 0:
		return refusal("transfer", "is not disputed")
	case action == ActionDismiss:
		return nil
	case action == ActionSettle && m.State != envelope.Held:
		return refusal("transfer", "is not held")
	case action == ActionSettle:
		return nil
	case m.Round != m.round:
		return refusal("transfer", envelope.ErrNotHeld.Error())
	case m.alone == "" && m.MayBeginNext() != nil:
		return refusal("transfer", m.MayBeginNext().Error())
	case len(m.disputes) > 0:
		return refusal("transfer", "is disputed, and may have been paid: "+m.disputes[0].what+"; first settle it, or dismiss the dispute")
	case m.round >= envelope.RoundMax:
		return refusal("transfer", fmt.Sprintf("has been through %d rounds: settle it outside and leave it held", envelope.RoundMax))
	case action == ActionRedirect && m.IsRefund():
		return refusal("action", "a refund goes back the way the money came: it can only be released")
	}
	return nil
}

// approvedBefore reports whether this very approval has been carried out.
func (m *matter) approvedBefore(by string, seen Proposal) bool {
	return slices.ContainsFunc(m.decisions, func(d Decision) bool {
		return d.State == decisionApproved && d.DecidedBy == by && d.same(seen) && d.round >= m.round
	})
}

// approvable is the proposal that by approves, having seen one.
func (m *matter) approvable(by string, seen Proposal) (*Decision, error) {
	d := m.standing()
	switch {
	case d == nil || d.lapsed():
		return nil, refusal("transfer", "has no proposal that stands")
	case d.By == by:
		return nil, refusal("approved_by", "must not be who proposed it")
	case !d.same(seen), d.Action == ActionSettle && d.paidRound != m.round:
		return nil, refusal("proposal", "is not the one that you approve; what stands is: "+d.String())
	case m.latestDispute() > d.dispute:
		return nil, refusal("transfer", "has been disputed since this was proposed: "+m.disputes[len(m.disputes)-1].what)
	}
	return d, m.allows(d.Action)
}

// settle posts a held transfer under the number of the round that the provider has
// paid, to the payee and in the batch of that round.
func (m *matter) settle(ctx context.Context, c *sql.Conn, round int, locked []layout.HeaderState) ([]envelope.ID, error) {
	payee, batch := m.Payee, m.Batch
	for _, d := range m.decisions {
		if d.State == decisionApproved && d.round == round && round < m.Round {
			payee, batch = d.wasPayee, d.wasBatch
		}
	}
	if err := setdb.Move(ctx, c, settleTransfer, round, payee, batch, m.OrderNo, m.Seq); err != nil {
		return nil, err
	}
	if batch != "" {
		if _, err := c.ExecContext(ctx, oneFewerRefused, batch); err != nil {
			return nil, err
		}
	}
	own := slices.DeleteFunc(slices.Clone(m.disputes), func(d openDispute) bool { return d.ofBatch })
	if err := resolve(ctx, c, own); err != nil {
		return nil, err
	}
	if m.IsRefund() {
		if err := owed.Enqueue(ctx, c, m.OrderNo); err != nil {
			return nil, err
		}
	}
	return owed.Settle(ctx, c, locked, []envelope.ID{m.OrderNo})
}
