package decision

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/layout"
	"hongbao/orderset/owed"
	"hongbao/orderset/setdb"
)

// ActionDissolve is what people may decide about a batch that is stuck: that each of
// its payouts goes on by itself. Each has a decision of its own for it (I8).
const ActionDissolve = "dissolve"

// StuckBatch is a batch of payouts that does not go on before people have acted.
type StuckBatch struct {
	No       string
	Count    int
	Total    envelope.Fen
	Reason   string
	Rejected bool // never accepted, and not being asked for: it can be dissolved
	Since    time.Time
	Proposal *Proposal // to dissolve it, or what to do about its only payout; nil when none stands
}

const (
	selectStuck = "SELECT " + layout.TransferColumns + " FROM transfer WHERE state = 'stuck' AND batch = '' ORDER BY tier, due_at LIMIT ?"

	stuckColumns       = "no, count, total_fen, reason, NOT placed, created_at, COALESCE(proposed_by, ''), proposed_at, UTC_TIMESTAMP(3)"
	selectStuckBatches = "SELECT " + stuckColumns + " FROM payout_batch WHERE state = 'pending' AND reason <> '' ORDER BY tier, created_at LIMIT ?"
	lockStuckBatch     = "SELECT " + stuckColumns + ", state, COALESCE(approved_by, '') FROM payout_batch WHERE no = ? FOR UPDATE"

	proposeDissolve = "UPDATE payout_batch SET proposed_by = ?, proposed_at = UTC_TIMESTAMP(3) WHERE no = ?"
	// The provider never had it: to our books it is as a batch that was refused whole.
	dissolveBatch = "UPDATE payout_batch SET state = 'ended', placed = TRUE, refused = count, approved_by = ?, ended_at = UTC_TIMESTAMP(3) " +
		"WHERE no = ? AND state = 'pending' AND NOT placed"
	// Each payout keeps the decision that began its next round.
	insertDissolved = "INSERT INTO decision (order_id, seq, round, action, dispute_id, was_payee, was_batch, proposed_by, proposed_at, state, decided_by, decided_at) " +
		"SELECT t.order_id, t.seq, t.round, 'dissolve', 0, t.payee_id, t.Batch, b.proposed_by, b.proposed_at, 'approved', ?, UTC_TIMESTAMP(3) FROM payout_batch b " +
		"JOIN transfer t FORCE INDEX (due) ON t.state = 'pending' AND t.Batch = b.no WHERE b.no = ?"
)

// Stuck lists up to max transfers, and as many batches, that do not go on before
// people have acted, 1000 at most of each, larger amounts first.
func (s *Desk) Stuck(ctx context.Context, max int) (transfers []envelope.Transfer, batches []StuckBatch, err error) {
	ctx, cancel := context.WithTimeout(ctx, setdb.TxMax)
	defer cancel()
	if transfers, err = layout.QueryTransfers(ctx, s.db, selectStuck, min(max, listMax)); err == nil {
		err = mariadb.Each(ctx, s.db, func(rows *sql.Rows) error {
			b, err := scanStuck(rows)
			batches = append(batches, b)
			return err
		}, selectStuckBatches, min(max, listMax))
	}
	if err == nil {
		err = s.proposeAlone(ctx, batches)
	}
	return transfers, batches, s.db.Answer("stuck transfers", err)
}

func scanStuck(rows *sql.Rows, more ...any) (b StuckBatch, err error) {
	var p Proposal
	var at sql.NullTime
	var now time.Time
	err = rows.Scan(append([]any{&b.No, &b.Count, &b.Total, &b.Reason, &b.Rejected, &b.Since, &p.By, &at, &now}, more...)...)
	if p.Action, p.At = ActionDissolve, at.Time; at.Valid && now.Sub(p.At) < proposalLife {
		b.Proposal = &p
	}
	return b, err
}

// ProposeDissolve says that a batch that the provider does not take should be
// dissolved into its payouts. Nothing happens before another person approves. A
// repeat is a result. Errors are those of Propose.
func (s *Desk) ProposeDissolve(ctx context.Context, no, by string) error {
	if err := CheckPerson("proposed_by", by); err != nil {
		return err
	}
	err := s.db.TxRepeat(ctx, func(ctx context.Context, c *sql.Conn) error {
		b, _, err := lockDissolvable(ctx, c, no)
		switch {
		case err != nil:
			return err
		case b.Proposal != nil && b.Proposal.By == by:
			return nil
		case b.Proposal != nil:
			return refusal("batch", "has a proposal by "+b.Proposal.By+" already, which stands for a day")
		}
		_, err = c.ExecContext(ctx, proposeDissolve, by, no)
		return err
	})
	return s.db.Decided("propose to dissolve"+" "+no, err)
}

// ApproveDissolve carries the proposal out: the batch ends, and the next round of
// each of its payouts begins, pending and due at once, in a batch of its own where
// payouts go in batches. The approver must not be the proposer. A repeat is a
// result.
//
// The provider can not carry out what is dissolved (I7): it refused the batch for
// good, did not know its number when it was asked after that, and has not been
// asked for it since.
func (s *Desk) ApproveDissolve(ctx context.Context, no, by string) error {
	if err := CheckPerson("approved_by", by); err != nil {
		return err
	}
	err := s.db.TxRepeat(ctx, func(ctx context.Context, c *sql.Conn) error {
		b, approvedBy, err := lockDissolvable(ctx, c, no)
		switch {
		case approvedBy == by:
			return nil
		case err != nil:
			return err
		case b.Proposal == nil:
			return refusal("batch", "has no proposal that stands")
		case strings.EqualFold(b.Proposal.By, by):
			return refusal("approved_by", "must not be who proposed it")
		}
		return s.dissolve(ctx, c, no, by)
	})
	return s.db.Decided("approve to dissolve"+" "+no, err)
}

// lockDissolvable locks a batch. The error says why it can not be dissolved;
// approvedBy, by whose approval it was.
func lockDissolvable(ctx context.Context, c *sql.Conn, no string) (b StuckBatch, approvedBy string, err error) {
	if _, err := envelope.ParsePayoutBatchNo(no); err != nil {
		return b, "", owed.ErrNoBatch(no)
	}
	state := ""
	err = mariadb.Each(ctx, c, func(rows *sql.Rows) (err error) {
		b, err = scanStuck(rows, &state, &approvedBy)
		return err
	}, lockStuckBatch, no)
	switch {
	case err != nil:
		return b, "", err
	case state == "":
		return b, "", owed.ErrNoBatch(no)
	case state != "pending" || b.Reason == "":
		return b, approvedBy, refusal("batch", "is not stuck")
	case !b.Rejected:
		return b, approvedBy, refusal("batch", fmt.Sprintf("is stuck: %q; the provider is being asked for it, or may have it: it can be dissolved only after a final refusal of a batch that is not there", b.Reason))
	}
	return b, approvedBy, nil
}

// undisputed refuses a batch that the provider says it has paid something of, or of
// one of whose payouts it does.
func undisputed(ctx context.Context, c *sql.Conn, no string, payouts []envelope.Transfer) error {
	ts := make([]owed.Stored, len(payouts))
	for i := range payouts {
		ts[i] = owed.Stored{Transfer: payouts[i], Batch: no}
	}
	open, err := disputesOf(ctx, c, ts)
	if err != nil {
		return err
	}
	for i := range ts {
		if ds := open[layout.KeyOf(&ts[i].Transfer)]; len(ds) > 0 {
			return refusal("batch", "is disputed, and may have been paid: "+ds[0].what+"; first dismiss the dispute")
		}
	}
	return nil
}

// dissolve is the transaction's work. The batch is locked, so nothing in it moves.
func (s *Desk) dissolve(ctx context.Context, c *sql.Conn, no, by string) error {
	batch := []envelope.PayoutBatch{{No: no}}
	if err := owed.ReadPayouts(ctx, c, batch, []string{no}); err != nil {
		return err
	}
	var heads []string
	for i := range batch[0].Payouts {
		t := &batch[0].Payouts[i]
		if t.Round >= envelope.RoundMax {
			return refusal("batch", fmt.Sprintf("payout %s has been through %d rounds", t.No(), envelope.RoundMax))
		}
		heads = append(heads, envelope.TransferNo(t.OrderNo, t.Seq, t.Round+1))
	}
	if err := undisputed(ctx, c, no, batch[0].Payouts); err != nil {
		return err
	}
	if _, err := c.ExecContext(ctx, insertDissolved, by, no); err != nil {
		return err
	}
	if err := setdb.Move(ctx, c, dissolveBatch, by, no); err != nil {
		return err
	}
	res, err := c.ExecContext(ctx, dissolvePayouts(s.owed.Batches()), no)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || int(n) != len(heads) {
		return errors.Join(fmt.Errorf("%d of its payouts were pending, want %d", n, len(heads)), err)
	}
	if !s.owed.Batches() {
		return nil
	}
	return owed.MakeBatches(ctx, c, heads)
}
