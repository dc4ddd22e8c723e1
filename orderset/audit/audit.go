package audit

import (
	"context"
	"fmt"
	"strings"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/layout"
	"hongbao/orderset/setdb"
	"hongbao/reconcile"
)

// Books is what an audit saw: the whole of one SET's hot tables. Paid is opened,
// refunded and remaining (I1); opened and refunded are posted, pending and held,
// and what is still to be spread.
type Books struct {
	Set          string                 `json:"set"`
	Envelopes    int                    `json:"envelopes"`
	Shares       int                    `json:"shares"`
	Paid         envelope.Fen           `json:"paid_fen"`
	Opened       envelope.Fen           `json:"opened_fen"`
	Refunded     envelope.Fen           `json:"refunded_fen"`
	Remaining    envelope.Fen           `json:"remaining_fen"`
	Posted       envelope.Fen           `json:"posted_fen"` // transfers carried out …
	Pending      envelope.Fen           `json:"pending_fen"`
	Held         envelope.Fen           `json:"held_fen"`
	PostedCount  int                    `json:"posted_count"`
	PendingCount int                    `json:"pending_count"`
	HeldCount    int                    `json:"held_count"`
	Violations   []reconcile.Difference `json:"violations"`
}

// Auditor reads every envelope and share of one SET and holds them to the
// invariants. It trusts no column that it can recompute: sums, counts,
// positions, and with the draw key every amount.
type Auditor struct {
	db   *setdb.Reader
	seed func(envelope.ID) envelope.Seed // nil: amounts are not recomputed
}

// OpenDSN connects with a DSN that may only SELECT. With a zero draw key the
// amounts of lucky envelopes are checked for their bounds only.
func OpenDSN(dsn string, key envelope.DrawKey) (*Auditor, error) {
	db, err := setdb.OpenReaderDSN(dsn)
	return newAuditor(db, key, err)
}

// Open connects to the database of a SET at addr, as an account that may only SELECT.
func Open(number envelope.SetNumber, addr string, account mariadb.Account, key envelope.DrawKey) (*Auditor, error) {
	db, err := setdb.OpenReader(number, addr, account)
	return newAuditor(db, key, err)
}

func newAuditor(db *setdb.Reader, key envelope.DrawKey, err error) (*Auditor, error) {
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	a := &Auditor{db: db}
	if !key.IsZero() {
		a.seed = key.Seed
	}
	return a, nil
}

// Ping reports whether the SET's database answers: an audit has no bound of its own.
func (a *Auditor) Ping(ctx context.Context) error { return a.db.Ping(ctx) }

// Close closes its connections.
func (a *Auditor) Close() error { return a.db.Close() }

// Audit reads all of it, and reports only what is wrong at one moment: an
// envelope whose rows seem to contradict each other is read again from one
// snapshot, so others may go on writing.
func (a *Auditor) Audit(ctx context.Context) (*Books, error) {
	b := &Books{Violations: []reconcile.Difference{}}
	tables, err := layout.DayTables(ctx, a.db)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	if err := a.db.QueryRowContext(ctx, "SELECT LPAD(set_number, 3, '0') FROM set_info").Scan(&b.Set); err != nil {
		return nil, fmt.Errorf("audit: set_info: %w", err)
	}
	r := &review{auditor: a, books: b, suspects: map[layout.DayTable][]envelope.ID{}}
	for _, t := range tables {
		if err := r.table(ctx, t); err != nil {
			return nil, fmt.Errorf("audit: %s: %w", t.Envelopes(), err)
		}
	}
	for _, kind := range strayKinds() {
		if err := r.strays(ctx, kind); err != nil {
			return nil, fmt.Errorf("audit: %s without its envelope: %w", kind.what, err)
		}
	}
	if err := r.batches(ctx); err != nil {
		return nil, fmt.Errorf("audit: payout_batch: %w", err)
	}
	if err := r.judge(ctx); err != nil {
		return nil, fmt.Errorf("audit: second look: %w", err)
	}
	return b, nil
}

// String is the audit in a line, and every violation in a line of its own.
func (b *Books) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "SET %s: %d envelopes, %d shares, paid %v = opened %v + refunded %v + remaining %v, posted %v, pending %v, held %v, %d violations",
		b.Set, b.Envelopes, b.Shares, b.Paid, b.Opened, b.Refunded, b.Remaining, b.Posted, b.Pending, b.Held, len(b.Violations))
	for _, v := range b.Violations {
		fmt.Fprintf(&out, "\n  %v", v)
	}
	return out.String()
}

// count adds up what was read.
func (b *Books) count(p *page) {
	for i := range p.envelopes {
		e := &p.envelopes[i]
		b.Envelopes++
		b.Opened += e.Opened
		if !e.PaidAt.IsZero() {
			b.Paid += e.Total
			b.Refunded += e.Refunded
			b.Remaining += e.Remaining()
		}
	}
	b.Shares += len(p.shares)
	for _, t := range p.transfers {
		switch t.State {
		case envelope.Posted:
			b.Posted, b.PostedCount = b.Posted+t.Amount, b.PostedCount+1
		case envelope.Held:
			b.Held, b.HeldCount = b.Held+t.Amount, b.HeldCount+1
		default:
			b.Pending, b.PendingCount = b.Pending+t.Amount, b.PendingCount+1
		}
	}
}
