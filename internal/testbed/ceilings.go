package testbed

import (
	"context"
	"time"

	"hongbao/internal/fill"
	"hongbao/loadtest/measure"
	"hongbao/orderset/audit"
	"hongbao/queue"
)

// ceilingFor is how long a ceiling is measured.
const ceilingFor = 2 * time.Second

// InsertCeiling is what the first SET's database takes in bare rows.
func (bed *Testbed) InsertCeiling(ctx context.Context) (float64, error) {
	topology, err := bed.settings.Topology()
	if err != nil {
		return 0, err
	}
	app, err := bed.settings.Account("app", bed.settings.Accounts.App)
	if err != nil {
		return 0, err
	}
	spec := topology.Specs()[0]
	return fill.InsertCeiling(ctx, spec.Number, spec.Primary, app, ceilingFor)
}

// CASCeiling is what the first memcached takes in compare-and-swaps.
func (bed *Testbed) CASCeiling(ctx context.Context) (float64, error) {
	if len(bed.desc.Memcached) == 0 {
		return 0, nil
	}
	return queue.CASCeiling(ctx, bed.desc.Memcached[0], ceilingFor)
}

// Books reads every row of every SET.
func (bed *Testbed) Books(ctx context.Context) (all []measure.Books, err error) {
	err = bed.auditors(func(auditor *audit.Auditor) error {
		b, err := auditor.Audit(ctx)
		if err == nil {
			all = append(all, booksOf(b))
		}
		return err
	})
	return all, err
}

func booksOf(b *audit.Books) measure.Books {
	out := measure.Books{Set: b.Set, Envelopes: b.Envelopes, Shares: b.Shares, Paid: b.Paid, Opened: b.Opened,
		Refunded: b.Refunded, Remaining: b.Remaining, Violations: []string{}}
	for _, v := range b.Violations {
		out.Violations = append(out.Violations, v.String())
	}
	return out
}
