package orderset

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"hongbao/envelope"
)

// Violation is one way in which stored rows break an invariant.
type Violation struct {
	Invariant string      `json:"invariant"` // "I1" …
	ID        envelope.ID `json:"id"`
	What      string      `json:"what"`
}

func (v Violation) String() string { return fmt.Sprintf("%s %s: %s", v.Invariant, v.ID, v.What) }

// violationsMax bounds what one audit reports: a thousand are as bad as more.
const violationsMax = 1000

// Books is what an audit saw: the whole of one SET's hot tables.
type Books struct {
	Set        string       `json:"set"`
	Envelopes  int          `json:"envelopes"`
	Shares     int          `json:"shares"`
	Paid       envelope.Fen `json:"paid_fen"`
	Opened     envelope.Fen `json:"opened_fen"`
	Refunded   envelope.Fen `json:"refunded_fen"`
	Remaining  envelope.Fen `json:"remaining_fen"`
	Violations []Violation  `json:"violations"`
}

// Auditor reads every envelope and share of one SET and holds them to the
// invariants. It trusts no column that it can recompute: sums, counts,
// positions, and with the draw key every amount.
type Auditor struct {
	db   *sql.DB
	seed func(envelope.ID) envelope.Seed // nil: amounts are not recomputed
}

// NewAuditor connects with a DSN that may only SELECT. With a zero draw key the
// amounts of lucky envelopes are checked for their bounds only.
func NewAuditor(dsn string, key envelope.DrawKey) (*Auditor, error) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	cfg.ParseTime, cfg.Loc = true, time.UTC
	cfg.Params = map[string]string{"time_zone": "'+00:00'"}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	a := &Auditor{db: sql.OpenDB(connector)}
	if !key.IsZero() {
		a.seed = key.Seed
	}
	return a, nil
}

// Close closes its connections.
func (a *Auditor) Close() error { return a.db.Close() }

// Audit reads all of it. Rows that change meanwhile are seen as they were or
// as they are; run it when nobody writes, or again.
func (a *Auditor) Audit(ctx context.Context) (*Books, error) {
	b := &Books{Violations: []Violation{}}
	tables, err := a.tables(ctx)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	if err := a.db.QueryRowContext(ctx, "SELECT LPAD(set_number, 3, '0') FROM set_info").Scan(&b.Set); err != nil {
		return nil, fmt.Errorf("audit: set_info: %w", err)
	}
	for _, t := range tables {
		if err := a.auditTable(ctx, b, t); err != nil {
			return nil, fmt.Errorf("audit: %s: %w", t.envelopes(), err)
		}
	}
	return b, nil
}

func (a *Auditor) tables(ctx context.Context) (tables []DayTable, err error) {
	err = each(ctx, a.db, func(rows *sql.Rows) error {
		var name string
		var t DayTable
		if err := rows.Scan(&name); err != nil {
			return err
		}
		if _, err := fmt.Sscanf(name, "envelope_%d_%d", &t.Digit, &t.Day); err != nil {
			return fmt.Errorf("table %s is not a day table", name)
		}
		tables = append(tables, t)
		return nil
	}, "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'envelope\\_%'")
	return tables, err
}

// auditPage is how many envelopes one query of an audit reads: short reads hold
// nothing up and stay within the server's statement time.
const auditPage = 2000

// auditTable walks headers and shares side by side, a page at a time, both in
// the order of their keys.
func (a *Auditor) auditTable(ctx context.Context, b *Books, t DayTable) error {
	for after := envelope.ID(""); ; {
		es, _, err := queryHeaders(ctx, a.db, t.selectHeaderPage(), after, auditPage)
		if err != nil {
			return err
		}
		last := lastPossibleID
		if len(es) == auditPage {
			last = es[len(es)-1].ID
		}
		rows, err := queryShares(ctx, a.db, t.selectSharePage(), after, last)
		if err != nil {
			return err
		}
		a.auditPage(b, t, es, rows)
		if last == lastPossibleID {
			return nil
		}
		after = last
	}
}

// lastPossibleID sorts after every order ID.
const lastPossibleID = envelope.ID("99999999999999999999999")

func (a *Auditor) auditPage(b *Books, t DayTable, es []envelope.Envelope, rows []newShare) {
	for i := range es {
		e := &es[i]
		for ; len(rows) > 0 && rows[0].id < e.ID; rows = rows[1:] {
			b.add("I1", rows[0].id, "a share without its envelope")
		}
		var mine []envelope.Share
		for ; len(rows) > 0 && rows[0].id == e.ID; rows = rows[1:] {
			mine = append(mine, rows[0].share)
		}
		a.auditEnvelope(b, t, e, mine)
	}
	for _, r := range rows {
		b.add("I1", r.id, "a share without its envelope")
	}
}

func (a *Auditor) auditEnvelope(b *Books, t DayTable, e *envelope.Envelope, shares []envelope.Share) {
	b.Envelopes++
	b.Shares += len(shares)
	b.Opened += e.Opened
	if e.State != envelope.Unpaid && e.State != envelope.Closed {
		b.Paid += e.Total
		b.Refunded += e.Refunded
		b.Remaining += e.Remaining()
	}
	if id, err := envelope.ParseID(string(e.ID)); err != nil || TableOf(id) != t {
		b.add("I9", e.ID, "stands in %s, which is not its address", t.envelopes())
	}
	if sum := b.auditShares(e, shares); sum != e.Opened || len(shares) != e.OpenedCount {
		b.add("I1", e.ID, "the header says %d shares of %d fen, the rows %d of %d", e.OpenedCount, e.Opened, len(shares), sum)
	}
	if what := contradiction(e); what != "" {
		b.add("I8", e.ID, "state %s with %d of %d shares opened, %d fen refunded and %d left: %s",
			e.State, e.OpenedCount, e.Count, e.Refunded, e.Remaining(), what)
	}
	if a.seed != nil {
		if err := envelope.Verify(e, a.seed(e.ID), shares); err != nil {
			b.add("draw", e.ID, "%v", err)
		}
	}
}

// openedLagMax is how long after its header a share's row may be stamped: both
// are written in one packet, each with the clock of its own statement.
const openedLagMax = time.Second

// auditShares holds the shares of one envelope, in the order of their positions,
// to its header, and returns what they add up to.
func (b *Books) auditShares(e *envelope.Envelope, shares []envelope.Share) (sum envelope.Fen) {
	seen := make(map[envelope.UserID]bool, len(shares))
	for i, s := range shares {
		sum += s.Amount
		switch {
		case seen[s.User]:
			b.add("I2", e.ID, "user %s holds two shares", s.User)
		case !e.MayOpen(s.User):
			b.add("I2", e.ID, "user %s holds a share that is for %s alone", s.User, e.Recipient)
		case s.Seq != i+1:
			b.add("I4", e.ID, "share %d stands at position %d", i+1, s.Seq)
		case s.Amount < 1 || s.Amount > e.ShareMax:
			b.add("I5", e.ID, "share %d is %d fen", s.Seq, s.Amount)
		case e.Total-sum < envelope.Fen(e.Count-i-1) || i+1 == e.Count && sum != e.Total:
			b.add("I5", e.ID, "after share %d there are %d fen for %d shares", s.Seq, e.Total-sum, e.Count-i-1)
		case s.OpenedAt.Before(e.PaidAt):
			b.add("I6", e.ID, "share %d was opened before the envelope was paid", s.Seq)
		case !s.OpenedAt.Before(e.ExpiresAt.Add(openedLagMax)):
			b.add("I6", e.ID, "share %d was opened after the envelope expired", s.Seq)
		}
		seen[s.User] = true
	}
	return sum
}

// contradiction is what in a header cannot be true at the same time, or "".
func contradiction(e *envelope.Envelope) string {
	unpaid := e.State == envelope.Unpaid || e.State == envelope.Closed
	refunds := e.State == envelope.Expired || e.State == envelope.Settled || e.State == envelope.Closed
	switch {
	case unpaid && e.OpenedCount > 0:
		return "shares of what was never paid"
	case !unpaid && (e.TransactionID == "" || e.PaidAt.IsZero()):
		return "no payment is recorded"
	case e.State == envelope.Active && e.OpenedCount == e.Count, e.State == envelope.Empty && e.OpenedCount != e.Count:
		return "empty is when the last share is opened"
	case e.Refunded < 0 || e.Refunded > 0 && !refunds:
		return "nothing is refunded before the end"
	case e.Remaining() < 0 || e.State == envelope.Settled && e.Remaining() != 0:
		return "what is left does not fit"
	case e.State.Finished() == e.FinishedAt.IsZero():
		return "it is finished when it has a time of finishing"
	}
	return ""
}

func (b *Books) add(invariant string, id envelope.ID, format string, args ...any) {
	if len(b.Violations) < violationsMax {
		b.Violations = append(b.Violations, Violation{Invariant: invariant, ID: id, What: fmt.Sprintf(format, args...)})
	}
}

// String is the audit in a line, and every violation in a line of its own.
func (b *Books) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "SET %s: %d envelopes, %d shares, paid %v = opened %v + refunded %v + remaining %v, %d violations",
		b.Set, b.Envelopes, b.Shares, b.Paid, b.Opened, b.Refunded, b.Remaining, len(b.Violations))
	for _, v := range b.Violations {
		fmt.Fprintf(&out, "\n  %v", v)
	}
	return out.String()
}
