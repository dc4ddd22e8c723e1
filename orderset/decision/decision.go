package decision

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/layout"
	"hongbao/orderset/owed"
	"hongbao/orderset/setdb"
)

// What can be decided about a transfer. The last two begin a round without people.
const (
	ActionRelease  = "release"  // held: try again, for the same payee
	ActionRedirect = "redirect" // held: pay another payee
	ActionSettle   = "settle"   // held: the provider has paid it after all, under the number named
	ActionDismiss  = "dismiss"  // disputed: what the provider says about it is wrong, or is settled elsewhere
	ActionAgain    = "again"    // its payee, who had not confirmed it in time, asks for it again
	ActionReturn   = "return"   // not confirmed for too long: it goes to the sender
)

// What becomes of a proposal.
const (
	decisionStanding  = "standing"
	decisionApproved  = "approved"
	decisionWithdrawn = "withdrawn"
	decisionLapsed    = "lapsed"
)

// proposalLife is how long a proposal stands.
const proposalLife = 24 * time.Hour

// Proposal is what one person would do about a transfer. An approval names its
// action, payee and time: it approves what was shown, or nothing.
type Proposal struct {
	Action string          // release, redirect, settle or dismiss
	Payee  envelope.UserID // redirect: the new payee
	By     string
	At     time.Time
}

// same reports whether an approver who has seen other has seen p.
func (p *Proposal) same(other Proposal) bool {
	return p.Action == other.Action && p.Payee == other.Payee && p.At.Equal(layout.AsStored(other.At))
}

func (p *Proposal) String() string {
	what := p.Action
	if p.Payee != "" {
		what += " to " + string(p.Payee)
	}
	return fmt.Sprintf("%s, proposed by %s at %s", what, p.By, p.At.UTC().Format(time.RFC3339Nano))
}

// Decision is a proposal, whatever became of it.
type Decision struct {
	Proposal
	ID        int64
	No        string // of the round that it is about
	State     string // standing, approved, withdrawn or lapsed
	DecidedBy string
	DecidedAt time.Time

	key       layout.TransferKey
	round     int
	paidRound int
	dispute   int64 // the latest that was known
	wasPayee  envelope.UserID
	wasBatch  string
	now       time.Time // the database's
}

const decisionColumns = "id, order_id, seq, round, action, COALESCE(payee_id, ''), COALESCE(paid_round, 0), dispute_id, was_payee, was_batch, " +
	"proposed_by, proposed_at, state, COALESCE(decided_by, ''), decided_at, UTC_TIMESTAMP(3)"

const (
	selectDecisionsOf = "SELECT " + decisionColumns + " FROM decision WHERE order_id = ? AND seq = ? ORDER BY id"
	selectDecisions   = "SELECT " + decisionColumns + " FROM decision WHERE ? = '' OR order_id = ? AND seq = ? ORDER BY id DESC LIMIT ?"
	insertDecision    = "INSERT INTO decision (order_id, seq, round, action, payee_id, paid_round, dispute_id, was_payee, was_batch, proposed_by, proposed_at, " +
		"state, standing, decided_by, decided_at) VALUES (?, ?, ?, ?, NULLIF(?, ''), NULLIF(?, 0), ?, ?, ?, ?, UTC_TIMESTAMP(3), ?, IF(? = '', 1, NULL), NULLIF(?, ''), IF(? = '', NULL, UTC_TIMESTAMP(3)))"
	endDecision = "UPDATE decision SET state = ?, standing = NULL, decided_by = NULLIF(?, ''), decided_at = UTC_TIMESTAMP(3) WHERE id = ? AND state = 'standing'"
)

func scanDecision(rows *sql.Rows) (d Decision, err error) {
	var decided sql.NullTime
	err = rows.Scan(&d.ID, &d.key.ID, &d.key.Seq, &d.round, &d.Action, &d.Payee, &d.paidRound, &d.dispute, &d.wasPayee, &d.wasBatch,
		&d.By, &d.At, &d.State, &d.DecidedBy, &decided, &d.now)
	d.DecidedAt = decided.Time
	round := d.round
	if d.Action == ActionSettle {
		round = d.paidRound
	}
	d.No = envelope.TransferNo(d.key.ID, d.key.Seq, round)
	return d, err
}

func queryDecisions(ctx context.Context, q mariadb.Queryer, query string, args ...any) (ds []Decision, err error) {
	err = mariadb.Each(ctx, q, func(rows *sql.Rows) error {
		d, err := scanDecision(rows)
		ds = append(ds, d)
		return err
	}, query, args...)
	return ds, err
}

// insert writes a decision about t: one that stands, or, decided by by, one that is
// carried out at once.
func (d *Decision) insert(ctx context.Context, c *sql.Conn, t *owed.Stored) error {
	state := decisionStanding
	if d.DecidedBy != "" {
		state = decisionApproved
	}
	_, err := c.ExecContext(ctx, insertDecision, t.OrderNo, t.Seq, t.Round, d.Action, d.Payee, d.paidRound, d.dispute, t.Payee, t.Batch, d.By,
		state, d.DecidedBy, d.DecidedBy, d.DecidedBy)
	return err
}

func (d *Decision) lapsed() bool { return d.now.Sub(d.At) >= proposalLife }

// Decisions lists up to max of them, 1000 at most, the latest first: all, or those
// about the transfer of a number.
func (s *Desk) Decisions(ctx context.Context, no string, max int) (ds []Decision, err error) {
	var id envelope.ID
	var seq int
	if no != "" {
		if id, seq, _, err = envelope.ParseTransferNo(no); err != nil {
			return nil, owed.ErrNoTransfer(no)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, setdb.TxMax)
	defer cancel()
	ds, err = queryDecisions(ctx, s.db, selectDecisions, no, id, seq, min(max, listMax))
	for i := range ds {
		if ds[i].State == decisionStanding && ds[i].lapsed() {
			ds[i].State = decisionLapsed
		}
	}
	return ds, s.db.Answer("decisions", err)
}

// refusal of an operator's request, by the name of a rule.
func refusal(field, why string) error { return &envelope.InvalidError{Field: field, Why: why} }

// CheckPerson refuses the name of an operator that is not in the one form in which
// such names are written, so that no two of them are one person's: lower-case
// letters, digits, '.', '_' and '-', 1 to 64 of them.
func CheckPerson(field, name string) error {
	odd := strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
	})
	if odd || name == "" || len(name) > personBytesMax {
		return refusal(field, "must be 1 to 64 lower-case letters, digits, '.', '_' or '-'")
	}
	return nil
}

const personBytesMax = 64

// Propose says what to do about the transfer of a number. Nothing happens before
// another person approves it. A repeat is a result. What is returned is the proposal
// as it stands. The error is an InvalidError when a rule forbids it and wraps
// ErrNotFound when there is no such transfer.
func (s *Desk) Propose(ctx context.Context, no, by, action string, payee envelope.UserID) (p Proposal, err error) {
	if err := checkProposal(by, action, payee); err != nil {
		return p, err
	}
	err = s.db.TxRepeat(ctx, func(ctx context.Context, c *sql.Conn) error {
		m, err := lockMatter(ctx, c, no)
		if err != nil {
			return err
		}
		if err := m.allows(action); err != nil {
			return err
		}
		next := Decision{Proposal: Proposal{Action: action, Payee: payee, By: by}, dispute: m.latestDispute()}
		if action == ActionSettle {
			next.paidRound = m.round
		}
		switch d := m.standing(); {
		case d == nil:
		case d.lapsed():
			if err := setdb.Move(ctx, c, endDecision, decisionLapsed, "", d.ID); err != nil {
				return err
			}
		case d.Action == action && d.Payee == payee && d.By == by && d.paidRound == next.paidRound && d.dispute == next.dispute:
			p = d.Proposal
			return nil
		default:
			return refusal("transfer", "has a proposal already: "+d.String()+"; it stands for a day, unless "+d.By+" withdraws it")
		}
		if err := next.insert(ctx, c, &m.Stored); err != nil {
			return err
		}
		if m.decisions, err = queryDecisions(ctx, c, selectDecisionsOf, m.OrderNo, m.Seq); err == nil {
			p = m.standing().Proposal
		}
		return err
	})
	return p, s.db.Decided("propose"+" "+no, err)
}

func checkProposal(by, action string, payee envelope.UserID) error {
	if err := CheckPerson("proposed_by", by); err != nil {
		return err
	}
	switch action {
	case ActionRelease, ActionSettle, ActionDismiss:
		if payee != "" {
			return refusal("payee", "is for redirect only")
		}
		return nil
	case ActionRedirect:
		return envelope.CheckName("payee", string(payee))
	}
	return refusal("action", "must be release, redirect, settle or dismiss")
}

// Withdraw takes a proposal back; only its proposer can. A repeat is a result. Errors
// are those of Propose.
func (s *Desk) Withdraw(ctx context.Context, no, by string) error {
	err := s.db.TxRepeat(ctx, func(ctx context.Context, c *sql.Conn) error {
		m, err := lockMatter(ctx, c, no)
		if err != nil {
			return err
		}
		d := m.standing()
		switch {
		case d == nil && len(m.decisions) > 0 && m.decisions[len(m.decisions)-1].State == decisionWithdrawn && m.decisions[len(m.decisions)-1].By == by:
			return nil
		case d == nil || d.lapsed():
			return refusal("transfer", "has no proposal that stands")
		case d.By != by:
			return refusal("withdrawn_by", "must be the one who proposed it: "+d.By)
		}
		return setdb.Move(ctx, c, endDecision, decisionWithdrawn, by, d.ID)
	})
	return s.db.Decided("withdraw"+" "+no, err)
}

// Approve carries out the proposal about a transfer, if it is the one that was seen:
// its action, payee and time. The approver must not be the proposer (FH13). A
// repeat is a result. What is returned is the transfer as it goes on. Errors are
// those of Propose.
func (s *Desk) Approve(ctx context.Context, no, by string, seen Proposal) (envelope.Transfer, error) {
	if err := CheckPerson("approved_by", by); err != nil {
		return envelope.Transfer{}, err
	}
	var t envelope.Transfer
	var settled []envelope.ID
	err := s.db.TxRepeat(ctx, func(ctx context.Context, c *sql.Conn) error {
		id, _, _, err := envelope.ParseTransferNo(no)
		if err != nil {
			return owed.ErrNoTransfer(no)
		}
		locked, err := owed.LockFinished(ctx, c, []envelope.ID{id})
		if err != nil {
			return err
		}
		m, err := lockMatter(ctx, c, no)
		if err != nil {
			return err
		}
		if m.approvedBefore(by, seen) {
			t = m.Transfer
			return nil
		}
		d, err := m.approvable(by, seen)
		if err != nil {
			return err
		}
		if err := setdb.Move(ctx, c, endDecision, decisionApproved, by, d.ID); err != nil {
			return err
		}
		if d.Action == ActionRelease || d.Action == ActionRedirect {
			if err := m.leave(ctx, c, d, by); err != nil {
				return err
			}
		}
		t, settled, err = s.fulfil(ctx, c, m, d, locked)
		return err
	})
	if len(settled) > 0 {
		s.owed.Settled(settled)
	}
	if err == nil && t.IsRefund() && t.State == envelope.Posted {
		s.owed.Touch()
	}
	return t, s.db.Decided("approve"+" "+no, err)
}

// fulfil does what was approved.
func (s *Desk) fulfil(ctx context.Context, c *sql.Conn, m *matter, d *Decision, locked []layout.HeaderState) (t envelope.Transfer, settled []envelope.ID, err error) {
	switch d.Action {
	case ActionDismiss:
		err = resolve(ctx, c, m.disputes)
		return m.Transfer, nil, err
	case ActionSettle:
		settled, err = m.settle(ctx, c, d.paidRound, locked)
	case ActionRedirect:
		m.Payee = d.Payee
		err = s.owed.BeginRound(ctx, c, &m.Stored)
	default:
		err = s.owed.BeginRound(ctx, c, &m.Stored)
	}
	if err != nil {
		return m.Transfer, nil, err
	}
	ts, err := layout.QueryTransfers(ctx, c, layout.SelectTransfer, m.OrderNo, m.Seq)
	if err == nil && len(ts) == 1 {
		m.Transfer = ts[0]
	}
	return m.Transfer, settled, err
}

const (
	settleTransfer = "UPDATE transfer SET round = ?, payee_id = ?, batch = ?, state = 'posted', hint = '', reason = '', posted_at = UTC_TIMESTAMP(3) " +
		"WHERE order_id = ? AND seq = ? AND state = 'held'"
	oneFewerRefused = "UPDATE payout_batch SET refused = refused - 1 WHERE no = ? AND state = 'ended' AND refused > 0"
)
