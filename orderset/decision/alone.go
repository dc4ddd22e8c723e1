package decision

import (
	"context"
	"database/sql"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/layout"
	"hongbao/orderset/owed"
	"hongbao/orderset/setdb"
)

const (
	selectBatchOf = "SELECT batch FROM transfer WHERE order_id = ? AND seq = ? AND state = 'pending' AND batch <> ''"
	// What is decided about its only payout ends a batch as a dissolution does.
	endAlone = "UPDATE payout_batch SET state = 'ended', placed = TRUE, refused = count, proposed_by = ?, proposed_at = ?, approved_by = ?, ended_at = UTC_TIMESTAMP(3) " +
		"WHERE no = ? AND state = 'pending' AND NOT placed AND count = 1"
)

// lockAlone locks the batch in which a payout is alone and stuck, and returns its
// number; "" when it is in no such batch. The provider never took the batch and is
// not being asked for it, so that people may decide about its payout as about one
// that is in none (I7). The batch is locked before the payout, as by all others.
func lockAlone(ctx context.Context, c *sql.Conn, k layout.TransferKey) (string, error) {
	nos, err := mariadb.Column[string](ctx, c, selectBatchOf, k.ID, k.Seq)
	if err != nil || len(nos) == 0 {
		return "", err
	}
	b, _, err := lockDissolvable(ctx, c, nos[0])
	if !b.Rejected || b.Reason == "" || b.Count != 1 {
		if b.No != "" {
			err = nil // why it can not be dissolved is no answer here
		}
		return "", err
	}
	return b.No, err
}

// leave ends the batch in which the payout is alone, by what two people decided.
func (m *matter) leave(ctx context.Context, c *sql.Conn, d *Decision, by string) error {
	if m.alone == "" {
		return nil
	}
	return setdb.Move(ctx, c, endAlone, d.By, d.At, by, m.alone)
}

// proposeAlone fills in what was proposed about the only payout of a batch.
func (s *Desk) proposeAlone(ctx context.Context, batches []StuckBatch) error {
	var alone []owed.Stored
	for i := range batches {
		if batches[i].Count == 1 && batches[i].Proposal == nil {
			t := owed.Stored{Batch: batches[i].No}
			var err error
			if t.OrderNo, t.Seq, t.Round, err = envelope.ParseTransferNo(batches[i].No[1:]); err != nil {
				return err
			}
			alone = append(alone, t)
		}
	}
	if len(alone) == 0 {
		return nil
	}
	proposals, err := s.proposals(ctx, alone)
	for i := range batches {
		for j := range alone {
			if batches[i].No == alone[j].Batch {
				batches[i].Proposal = proposals[layout.KeyOf(&alone[j].Transfer)]
			}
		}
	}
	return err
}
