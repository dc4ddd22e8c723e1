package orderset

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
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
	Payee  envelope.UserID // redirect: who gets it
	By     string
	At     time.Time
}

// same reports whether an approver who has seen other has seen p.
func (p *Proposal) same(other Proposal) bool {
	return p.Action == other.Action && p.Payee == other.Payee && p.At.Equal(asStored(other.At))
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

	key       transferKey
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
	err = rows.Scan(&d.ID, &d.key.id, &d.key.seq, &d.round, &d.Action, &d.Payee, &d.paidRound, &d.dispute, &d.wasPayee, &d.wasBatch,
		&d.By, &d.At, &d.State, &d.DecidedBy, &decided, &d.now)
	d.DecidedAt = decided.Time
	round := d.round
	if d.Action == ActionSettle {
		round = d.paidRound
	}
	d.No = envelope.TransferNo(d.key.id, d.key.seq, round)
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
func (d *Decision) insert(ctx context.Context, c *sql.Conn, t *heard) error {
	state := decisionStanding
	if d.DecidedBy != "" {
		state = decisionApproved
	}
	_, err := c.ExecContext(ctx, insertDecision, t.OrderNo, t.Seq, t.Round, d.Action, d.Payee, d.paidRound, d.dispute, t.Payee, t.batch, d.By,
		state, d.DecidedBy, d.DecidedBy, d.DecidedBy)
	return err
}

func (d *Decision) lapsed() bool { return d.now.Sub(d.At) >= proposalLife }

// Decisions lists up to max of them, 1000 at most, the latest first: all, or those
// about the transfer of a number.
func (s *Set) Decisions(ctx context.Context, no string, max int) (ds []Decision, err error) {
	var id envelope.ID
	var seq int
	if no != "" {
		if id, seq, _, err = envelope.ParseTransferNo(no); err != nil {
			return nil, errNoTransfer(no)
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

// CheckPerson refuses a name of one who decides that is not in the one form in which
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

// matter is a transfer that is being decided about: locked, with its decisions, the
// oldest first, and the disputes about it.
type matter struct {
	heard
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
		return nil, errNoTransfer(no)
	}
	m, err := lockMatterOf(ctx, c, transferKey{id: id, seq: seq})
	if err == nil && m.Round < round {
		err = errNoTransfer(no)
	}
	if err != nil {
		return nil, err
	}
	m.round = round
	return m, nil
}

// lockMatterOf locks a transfer, whatever its round.
func lockMatterOf(ctx context.Context, c *sql.Conn, k transferKey) (*matter, error) {
	alone, err := lockAlone(ctx, c, k)
	if err != nil {
		return nil, err
	}
	ts, err := lockStored(ctx, c, []transferKey{k})
	if err == nil && len(ts) == 0 {
		err = errNoTransfer(envelope.TransferNo(k.id, k.seq, 1))
	}
	if err != nil {
		return nil, err
	}
	m := &matter{heard: ts[0], round: ts[0].Round}
	if m.State == envelope.Pending && m.batch == alone {
		m.alone = alone
	}
	if m.decisions, err = queryDecisions(ctx, c, selectDecisionsOf, k.id, k.seq); err != nil {
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

// Propose says what to do about the transfer of a number. Nothing happens before
// another person approves it. A repeat is a result. What is returned is the proposal
// as it stands. The error is an InvalidError when a rule forbids it and wraps
// ErrNotFound when there is no such transfer.
func (s *Set) Propose(ctx context.Context, no, by, action string, payee envelope.UserID) (p Proposal, err error) {
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
		if err := next.insert(ctx, c, &m.heard); err != nil {
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
func (s *Set) Withdraw(ctx context.Context, no, by string) error {
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
func (s *Set) Approve(ctx context.Context, no, by string, seen Proposal) (envelope.Transfer, error) {
	if err := CheckPerson("approved_by", by); err != nil {
		return envelope.Transfer{}, err
	}
	var t envelope.Transfer
	var settled []envelope.ID
	err := s.db.TxRepeat(ctx, func(ctx context.Context, c *sql.Conn) error {
		id, _, _, err := envelope.ParseTransferNo(no)
		if err != nil {
			return errNoTransfer(no)
		}
		locked, err := lockFinished(ctx, c, []envelope.ID{id})
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
		s.forget(settled)
	}
	if err == nil && t.IsRefund() && t.State == envelope.Posted {
		s.touch()
	}
	return t, s.db.Decided("approve"+" "+no, err)
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

// fulfil does what was approved.
func (s *Set) fulfil(ctx context.Context, c *sql.Conn, m *matter, d *Decision, locked []headerState) (t envelope.Transfer, settled []envelope.ID, err error) {
	switch d.Action {
	case ActionDismiss:
		err = resolve(ctx, c, m.disputes)
		return m.Transfer, nil, err
	case ActionSettle:
		settled, err = m.settle(ctx, c, d.paidRound, locked)
	case ActionRedirect:
		m.Payee = d.Payee
		err = s.beginRound(ctx, c, &m.heard)
	default:
		err = s.beginRound(ctx, c, &m.heard)
	}
	if err != nil {
		return m.Transfer, nil, err
	}
	ts, err := queryTransfers(ctx, c, selectTransfer, m.OrderNo, m.Seq)
	if err == nil && len(ts) == 1 {
		m.Transfer = ts[0]
	}
	return m.Transfer, settled, err
}

const (
	nextRound      = "UPDATE transfer SET round = ?, payee_id = ?, batch = ?, " + freshRound + " WHERE order_id = ? AND seq = ? AND round = ? AND state <> 'posted'"
	settleTransfer = "UPDATE transfer SET round = ?, payee_id = ?, batch = ?, state = 'posted', hint = '', reason = '', posted_at = UTC_TIMESTAMP(3) " +
		"WHERE order_id = ? AND seq = ? AND state = 'held'"
	oneFewerRefused = "UPDATE payout_batch SET refused = refused - 1 WHERE no = ? AND state = 'ended' AND refused > 0"
)

// beginRound makes a held transfer pending under its next number: in a batch of
// its own where payouts go in batches.
func (s *Set) beginRound(ctx context.Context, c *sql.Conn, t *heard) error {
	var heads []string
	batch := ""
	if s.batches && !t.IsRefund() {
		head := envelope.TransferNo(t.OrderNo, t.Seq, t.Round+1)
		heads, batch = append(heads, head), envelope.PayoutBatchNo(head)
	}
	if err := setdb.Move(ctx, c, nextRound, t.Round+1, t.Payee, batch, t.OrderNo, t.Seq, t.Round); err != nil {
		return err
	}
	return makeBatches(ctx, c, heads)
}

// settle posts a held transfer under the number of the round that the provider has
// paid, to the payee and in the batch of that round.
func (m *matter) settle(ctx context.Context, c *sql.Conn, round int, locked []headerState) ([]envelope.ID, error) {
	payee, batch := m.Payee, m.batch
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
		if err := touched(ctx, c, m.OrderNo); err != nil {
			return nil, err
		}
	}
	return settle(ctx, c, locked, []envelope.ID{m.OrderNo})
}
