package testbed

import (
	"context"
	"errors"
	"net/http"
	"time"

	"hongbao/envelope"
	"hongbao/internal/audit"
	"hongbao/loadtest/soak"
	setaudit "hongbao/orderset/audit"
	"hongbao/reconcile"
)

// overdueSlack is how long after its time an envelope may be unpaid or active.
const overdueSlack = time.Minute

// Reckon reads every book there is: the SETs', the provider's, users', and what
// the IM backend has received. It expects that nothing is being written.
func (bed *Testbed) Reckon(ctx context.Context) (*soak.Reckoning, error) {
	w := &reckoner{bed: bed, ours: map[string]claimed{}, out: &soak.Reckoning{States: map[envelope.State]int{},
		Unsettled: []envelope.ID{}, UserBooks: []string{}}}
	for _, step := range []func(context.Context) error{w.readBooks, w.readBatches, w.readDisputes, w.readEvents} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return w.out, nil
}

// reckoner is a reckoning under way.
type reckoner struct {
	bed  *Testbed
	ours map[string]claimed // by our number
	out  *soak.Reckoning
}

// claimed is what our rows say of one number.
type claimed struct {
	amount envelope.Fen
	posted bool
}

// auditors calls do with each SET's auditor.
func (bed *Testbed) auditors(do func(*setaudit.Auditor) error) error {
	topology, err := bed.settings.Topology()
	if err != nil {
		return err
	}
	account, err := bed.settings.Account("audit", bed.settings.Accounts.Audit)
	if err != nil {
		return err
	}
	key, err := bed.settings.DrawKey()
	if err != nil {
		return err
	}
	for _, spec := range topology.Specs() {
		auditor, err := setaudit.Open(spec.Number, spec.Primary, account, key)
		if err != nil {
			return err
		}
		if err := errors.Join(do(auditor), auditor.Close()); err != nil {
			return err
		}
	}
	return nil
}

// readBooks compares all books, and counts what passes by.
func (w *reckoner) readBooks(ctx context.Context) error {
	open, err := audit.Open(w.bed.settings)
	if err != nil {
		return err
	}
	defer open.Close()
	found, err := open.Driver(1, 0, func() []reconcile.Comparison {
		return []reconcile.Comparison{&reconcile.Provider{Movements: w.movements}, w}
	}).Run(ctx)
	if err != nil {
		return err
	}
	for _, b := range open.Sets() {
		w.out.Books = append(w.out.Books, booksOf(b))
	}
	for _, d := range found.Comparisons[0].Differences {
		w.out.UserBooks = append(w.out.UserBooks, d.String())
	}
	w.out.Differences = found.Comparisons[1].Differences
	return errors.Join(found.Unread()...)
}

// Name is that of a comparison that only counts.
func (w *reckoner) Name() string { return "count" }

// Compare finds nothing.
func (w *reckoner) Compare(context.Context, bool) ([]reconcile.Difference, error) { return nil, nil }

// movements reads the provider's ledger and notes the numbers that moved twice.
func (w *reckoner) movements(ctx context.Context, moved func(reconcile.Movement)) error {
	times := map[string]int{}
	return audit.Movements(w.bed.desc.PaymentSimulator)(ctx, func(m reconcile.Movement) {
		moved(m)
		if times[m.No]++; times[m.No] == 2 {
			w.out.Twice = append(w.out.Twice, m.No)
		}
	})
}

// Visit counts one envelope and its transfers.
func (w *reckoner) Visit(s *envelope.Statement, transfers []envelope.Transfer) {
	e := &s.Envelope
	w.out.States[e.State]++
	w.ours[string(e.ID)] = claimed{e.Total, e.TransactionID != ""}
	unposted := 0
	for i := range transfers {
		if w.transfer(&transfers[i]); transfers[i].State != envelope.Posted {
			unposted++
		}
	}
	if ended := e.State == envelope.Empty || e.State == envelope.Expired; ended && unposted == 0 {
		w.out.Unsettled = append(w.out.Unsettled, e.ID)
	}
	limits := w.bed.settings.Bounds()
	if e.State == envelope.Active && time.Since(e.ExpiresAt) > overdueSlack ||
		e.State == envelope.Unpaid && time.Since(e.CreatedAt) > limits.PayWithin+overdueSlack {
		w.out.Overdue++
	}
	w.expect(s)
}

func (w *reckoner) transfer(t *envelope.Transfer) {
	w.ours[t.No()] = claimed{t.Amount, t.State == envelope.Posted}
	switch {
	case t.State == envelope.Pending:
		w.out.Pending.Add(t.Amount)
	case t.State == envelope.Held || t.State == envelope.Stuck:
		w.out.Held = append(w.out.Held, soak.Held{No: t.No(), Reason: t.Reason, Amount: t.Amount})
	case t.IsRefund():
		w.out.Refunds.Add(t.Amount)
	default:
		w.out.Payouts.Add(t.Amount)
	}
}

// expect counts the facts about an envelope that the IM backend must have received.
func (w *reckoner) expect(s *envelope.Statement) {
	facts, _ := envelope.Owed(s, envelope.Cursor{})
	for _, f := range facts {
		switch f.Kind {
		case envelope.FactActive:
			w.out.Expected.Active++
		case envelope.FactOpened:
			w.out.Expected.Shares += len(f.Shares)
		case envelope.FactFinished:
			w.out.Expected.Finished++
		case envelope.FactRefunded:
			w.out.Expected.Refunded++
		}
	}
}

// readBatches makes the batches' numbers known: the provider speaks of them too.
func (w *reckoner) readBatches(ctx context.Context) error {
	return w.bed.auditors(func(a *setaudit.Auditor) error {
		return a.Batches(ctx, func(no string, total envelope.Fen, ended bool) { w.ours[no] = claimed{total, ended} })
	})
}

func (w *reckoner) readDisputes(ctx context.Context) error {
	return w.bed.auditors(func(a *setaudit.Auditor) error {
		return a.Disputes(ctx, func(d setaudit.Dispute) {
			no := d.Number
			if d.Kind == "payment" {
				no = string(d.ID) // a charge's number is its envelope's
			}
			mine, known := w.ours[no]
			one := soak.Dispute{Number: d.Number, What: d.What, Known: known, Posted: mine.posted}
			if d.Amount != 0 {
				one.Over = d.Amount - mine.amount
			}
			w.out.Disputes = append(w.out.Disputes, one)
		})
	})
}

func (w *reckoner) readEvents(ctx context.Context) error {
	var received struct {
		Told soak.Facts `json:"told"`
		soak.Astray
	}
	if err := call(ctx, http.MethodGet, w.bed.desc.Events+"/events", nil, &received); err != nil {
		return err
	}
	w.out.Received, w.out.Astray = received.Told, received.Astray
	return nil
}
