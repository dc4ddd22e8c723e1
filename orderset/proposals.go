package orderset

import (
	"context"
	"database/sql"

	"hongbao/envelope"
)

// In the order of selectHeld, so that whoever reads as many of both has the
// proposal about every transfer that is in the list.
const selectProposals = "SELECT d.order_id, d.seq, d.round, d.action, COALESCE(d.payee_id, ''), d.proposed_by, d.proposed_at " +
	"FROM transfer t JOIN decision d ON d.order_id = t.order_id AND d.seq = t.seq AND d.round = t.round " +
	"WHERE t.state = 'held' AND d.proposed_at > UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND ORDER BY t.tier, t.due_at LIMIT ?"

// Proposals maps the numbers of held transfers to what somebody would do about
// them. Those that have lapsed or were carried out are not among them. Up to max,
// 1000 at most, in the order of [Set.Held].
func (s *Set) Proposals(ctx context.Context, max int) (map[string]Proposal, error) {
	ctx, cancel := context.WithTimeout(ctx, txMax)
	defer cancel()
	proposals := map[string]Proposal{}
	err := each(ctx, s.db, func(rows *sql.Rows) error {
		var id envelope.ID
		var seq, round int
		var p Proposal
		err := rows.Scan(&id, &seq, &round, &p.Action, &p.Payee, &p.By, &p.At)
		proposals[envelope.TransferNo(id, seq, round)] = p
		return err
	}, selectProposals, proposalLife.Microseconds(), min(max, listMax))
	return proposals, s.answer("proposals", err)
}
