package orderset

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"hongbao/envelope"
)

// What people may decide about a transfer that was refused for good.
const (
	ActionRelease  = "release"  // try again, for the same payee
	ActionRedirect = "redirect" // pay somebody else
)

// proposalLife is how long a proposal stands. Until then nobody can change it, so
// that who approves it approves what was shown.
const proposalLife = 24 * time.Hour

// Proposal is what one person would do about a held transfer.
type Proposal struct {
	Action string          // release or redirect
	Payee  envelope.UserID // redirect: who gets it
	By     string
	At     time.Time
}

// Held lists up to max transfers that were refused for good, 1000 at most,
// larger amounts first.
func (s *Set) Held(ctx context.Context, max int) ([]envelope.Transfer, error) {
	ctx, cancel := context.WithTimeout(ctx, txMax)
	defer cancel()
	held, err := queryTransfers(ctx, s.db, selectHeld, min(max, listMax))
	return held, s.answer("held transfers", err)
}

const (
	selectDecision = "SELECT action, COALESCE(payee_id, ''), proposed_by, proposed_at, COALESCE(approved_by, ''), UTC_TIMESTAMP(3) FROM decision " +
		"WHERE order_id = ? AND seq = ? AND round = ?"
	insertDecision = "INSERT INTO decision (order_id, seq, round, action, payee_id, proposed_by, proposed_at) " +
		"VALUES (?, ?, ?, ?, NULLIF(?, ''), ?, UTC_TIMESTAMP(3)) ON DUPLICATE KEY UPDATE action = VALUES(action), " +
		"payee_id = VALUES(payee_id), proposed_by = VALUES(proposed_by), proposed_at = VALUES(proposed_at)"
	approveDecision = "UPDATE decision SET approved_by = ?, approved_at = UTC_TIMESTAMP(3) WHERE order_id = ? AND seq = ? AND round = ?"
	nextRound       = "UPDATE transfer SET round = ?, payee_id = ?, batch = ?, " + freshRound + " WHERE order_id = ? AND seq = ? AND round = ? AND state <> 'posted'"
)

// decision is a proposal as it is stored.
type decision struct {
	Proposal
	approvedBy string
	now        time.Time // the database's
}

func (d *decision) lapsed() bool { return d.now.Sub(d.At) >= proposalLife }

// refusal of an operator's request, by the name of a rule.
func refusal(field, why string) error { return &envelope.InvalidError{Field: field, Why: why} }

// Propose says what to do about the held transfer of a number: release it, or
// redirect it to another payee. Nothing happens before somebody else approves.
// A repeat is a result. The error is an InvalidError when a rule forbids it and
// wraps ErrNotFound when there is no such transfer.
func (s *Set) Propose(ctx context.Context, no, by, action string, payee envelope.UserID) error {
	if err := checkProposal(by, action, payee); err != nil {
		return err
	}
	err := s.inTxRepeat(ctx, func(ctx context.Context, c *sql.Conn) error {
		t, round, err := lockTransfer(ctx, c, no)
		if err != nil {
			return err
		}
		d, err := readDecision(ctx, c, &t, round)
		switch {
		case err != nil:
			return err
		case t.Round != round || t.MayBeginNext() != nil:
			return notHeld(&t, round)
		case round >= envelope.RoundMax:
			return refusal("transfer", fmt.Sprintf("has been through %d rounds: settle it outside and leave it held", envelope.RoundMax))
		case action == ActionRedirect && t.IsRefund():
			return refusal("action", "a refund goes back the way the money came: it can only be released")
		case d != nil && d.Action == action && d.Payee == payee && d.By == by && !d.lapsed():
			return nil
		case d != nil && !d.lapsed():
			return refusal("transfer", "has a proposal by "+d.By+" already, which stands for a day")
		}
		_, err = c.ExecContext(ctx, insertDecision, t.OrderNo, t.Seq, round, action, payee, by)
		return err
	})
	return s.decided("propose", no, err)
}

func checkProposal(by, action string, payee envelope.UserID) error {
	if err := envelope.CheckName("proposed_by", by); err != nil {
		return err
	}
	switch action {
	case ActionRelease:
		if payee != "" {
			return refusal("payee", "is for redirect only")
		}
		return nil
	case ActionRedirect:
		return envelope.CheckName("payee", string(payee))
	}
	return refusal("action", "must be release or redirect")
}

// Approve carries out the proposal about a held transfer: its next round begins,
// pending and due at once. Who approves must not be who proposed (FH13). A repeat
// is a result. Errors are those of Propose.
func (s *Set) Approve(ctx context.Context, no, by string) (envelope.Transfer, error) {
	if err := envelope.CheckName("approved_by", by); err != nil {
		return envelope.Transfer{}, err
	}
	var t envelope.Transfer
	err := s.inTxRepeat(ctx, func(ctx context.Context, c *sql.Conn) error {
		var round int
		var err error
		if t, round, err = lockTransfer(ctx, c, no); err != nil {
			return err
		}
		d, err := readDecision(ctx, c, &t, round)
		switch {
		case err != nil:
			return err
		case d != nil && d.approvedBy == by:
			return nil
		case t.Round != round || t.MayBeginNext() != nil:
			return notHeld(&t, round)
		case d == nil || d.lapsed():
			return refusal("transfer", "has no proposal that stands")
		case d.By == by:
			return refusal("approved_by", "must not be who proposed it")
		}
		if _, err = c.ExecContext(ctx, approveDecision, by, t.OrderNo, t.Seq, round); err != nil {
			return err
		}
		if d.Action == ActionRedirect {
			t.Payee = d.Payee
		}
		t, err = s.beginRound(ctx, c, t)
		return err
	})
	return t, s.decided("approve", no, err)
}

// beginRound makes a held transfer pending under its next number: in a batch of
// its own where payouts go in batches.
func (s *Set) beginRound(ctx context.Context, c *sql.Conn, t envelope.Transfer) (envelope.Transfer, error) {
	var heads []string
	batch := ""
	if s.batches && !t.IsRefund() {
		head := envelope.TransferNo(t.OrderNo, t.Seq, t.Round+1)
		heads, batch = append(heads, head), envelope.PayoutBatchNo(head)
	}
	if err := move(ctx, c, nextRound, t.Round+1, t.Payee, batch, t.OrderNo, t.Seq, t.Round); err != nil {
		return t, err
	}
	if err := makeBatches(ctx, c, heads); err != nil {
		return t, err
	}
	ts, err := queryTransfers(ctx, c, selectTransfer, t.OrderNo, t.Seq)
	if err == nil && len(ts) == 1 {
		t = ts[0]
	}
	return t, err
}

// decided turns an error of Propose or Approve into an answer.
func (s *Set) decided(what, no string, err error) error {
	if invalid, ok := errors.AsType[*envelope.InvalidError](err); ok {
		return invalid
	}
	return s.answer(what+" "+no, err)
}

// notHeld is why people cannot decide about the round of a number.
func notHeld(t *envelope.Transfer, round int) error {
	why := envelope.ErrNotHeld
	if t.Round == round {
		why = t.MayBeginNext()
	}
	return refusal("transfer", why.Error())
}

// lockTransfer locks the transfer of a number and returns the round that the
// number is of.
func lockTransfer(ctx context.Context, c *sql.Conn, no string) (envelope.Transfer, int, error) {
	id, seq, round, err := envelope.ParseTransferNo(no)
	if err != nil {
		return envelope.Transfer{}, 0, errNoTransfer(no)
	}
	ts, err := lockStored(ctx, c, []transferKey{{id: id, seq: seq}})
	if err == nil && (len(ts) == 0 || ts[0].Round < round) {
		err = errNoTransfer(no)
	}
	if err != nil {
		return envelope.Transfer{}, 0, err
	}
	return ts[0].Transfer, round, nil
}

// readDecision is what was decided about a round, or nil.
func readDecision(ctx context.Context, c *sql.Conn, t *envelope.Transfer, round int) (d *decision, err error) {
	err = each(ctx, c, func(rows *sql.Rows) error {
		d = &decision{}
		return rows.Scan(&d.Action, &d.Payee, &d.By, &d.At, &d.approvedBy, &d.now)
	}, selectDecision, t.OrderNo, t.Seq, round)
	return d, err
}
