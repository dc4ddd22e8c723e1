package audit

import (
	"context"
	"time"

	"hongbao/envelope"
	"hongbao/internal/books"
	"hongbao/internal/payment/simulator"
	"hongbao/internal/settings"
	"hongbao/orderset/audit"
	"hongbao/reconcile"
)

// answerMax is how long a database may take to answer at all.
const answerMax = 5 * time.Second

// Books are the books of all SETs and users, open under the account that may only
// SELECT.
type Books struct {
	sets  []*set
	users *books.Auditor
}

// set is a SET with its books as the last look found them, nil when it failed.
type set struct {
	number  envelope.SetNumber
	auditor *audit.Auditor
	books   *audit.Books
}

// Open opens all books; whether their databases answer shows when they are read.
func Open(s *settings.Settings) (*Books, error) {
	topology, err := s.Topology()
	if err != nil {
		return nil, err
	}
	key, err := s.DrawKey()
	if err != nil {
		return nil, err
	}
	account, err := s.Account("audit", s.Accounts.Audit)
	if err != nil {
		return nil, err
	}
	var shards []books.Shard
	for _, b := range s.Books {
		shards = append(shards, books.Shard{Addr: b.Primary})
	}
	b := &Books{}
	if b.users, err = books.OpenAuditor(shards, account); err != nil {
		return nil, err
	}
	for _, spec := range topology.Specs() {
		auditor, err := audit.Open(spec.Number, spec.Primary, account, key)
		if err != nil {
			b.Close()
			return nil, err
		}
		b.sets = append(b.sets, &set{number: spec.Number, auditor: auditor})
	}
	return b, nil
}

// Close closes what Open opened.
func (b *Books) Close() {
	for _, set := range b.sets {
		set.auditor.Close()
	}
	b.users.Close()
}

// Driver compares the SETs with users' books and with what others returns.
func (b *Books) Driver(looks int, pause time.Duration, others func() []reconcile.Comparison) reconcile.Driver {
	d := reconcile.Driver{Looks: looks, Pause: pause, Comparisons: func() []reconcile.Comparison {
		return append([]reconcile.Comparison{b.users.Comparison()}, others()...)
	}}
	for _, set := range b.sets {
		d.Sources = append(d.Sources, set.source())
	}
	return d
}

// Sets are the books of the SETs that the last look could read.
func (b *Books) Sets() (all []*audit.Books) {
	for _, set := range b.sets {
		if set.books != nil {
			all = append(all, set.books)
		}
	}
	return all
}

func (s *set) source() reconcile.Source {
	return reconcile.Source{
		Name: s.number.String(),
		Check: func(ctx context.Context) (_ []reconcile.Difference, err error) {
			s.books = nil
			if err := s.ping(ctx); err != nil {
				return nil, err
			}
			if s.books, err = s.auditor.Audit(ctx); err != nil {
				return nil, err
			}
			return s.books.Violations, nil
		},
		Walk: s.auditor.Walk,
	}
}

func (s *set) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerMax)
	defer cancel()
	return s.auditor.Ping(ctx)
}

// Movements reads the ledger of a simulated provider, the only kind that shows all
// of it.
func Movements(baseURL string) func(context.Context, func(reconcile.Movement)) error {
	return func(ctx context.Context, moved func(reconcile.Movement)) error {
		return simulator.ReadLedger(ctx, baseURL, func(no, providerNo string, fen int64) {
			moved(reconcile.Movement{No: no, Amount: envelope.Fen(fen), ProviderNo: providerNo})
		})
	}
}
