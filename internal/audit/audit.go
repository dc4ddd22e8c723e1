package audit

import (
	"context"
	"errors"
	"slices"
	"time"

	"hongbao/envelope"
	"hongbao/internal/books"
	"hongbao/internal/payment/simulator"
	"hongbao/internal/settings"
	"hongbao/orderset"
	"hongbao/reconcile"
)

// Report is what all auditors have found.
type Report struct {
	Sets      []Set     `json:"sets"`
	UserBooks UserBooks `json:"user_books"`
	Provider  Provider  `json:"provider"`
	truth     []envelope.Statement
}

// Set is what was found in one SET.
type Set struct {
	Set   string          `json:"set"`
	Error string          `json:"error,omitempty"` // it could not be read
	Books *orderset.Books `json:"books,omitempty"`
}

// UserBooks is what was found in users' books.
type UserBooks struct {
	Error      string            `json:"error,omitempty"`
	Compared   bool              `json:"compared"` // with the SETs' rows, which takes all SETs
	Violations []books.Violation `json:"violations"`
}

// Provider is what was found when the provider's ledger was compared.
type Provider struct {
	Compared    bool                   `json:"compared"`
	Why         string                 `json:"why,omitempty"` // it was not
	Differences []reconcile.Difference `json:"differences"`
}

// answerMax is how long a database may take to answer at all.
const answerMax = 5 * time.Second

// Once reads every book once. A SET that does not answer hides no other, but
// what takes all SETs is not compared then.
func Once(ctx context.Context, s *settings.Settings) (*Report, error) {
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
	r := &Report{UserBooks: UserBooks{Violations: []books.Violation{}}, Provider: Provider{Differences: []reconcile.Difference{}}}
	var provider reconcile.Provider
	whole := true
	for _, spec := range topology.Specs() {
		one := Set{Set: spec.Number.String()}
		if one.Books, err = r.auditSet(ctx, spec, account, key, &provider); err != nil {
			one.Error, whole = err.Error(), false
		}
		r.Sets = append(r.Sets, one)
	}
	r.auditProvider(ctx, s, &provider, whole)
	var shards []books.Shard
	for _, b := range s.Books {
		shards = append(shards, books.Shard{Addr: b.Primary})
	}
	if err := r.auditUsers(ctx, shards, account, whole); err != nil {
		r.UserBooks.Error = err.Error()
	}
	return r, ctx.Err()
}

func answers(ctx context.Context, ping func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, answerMax)
	defer cancel()
	return ping(ctx)
}

func (r *Report) auditSet(ctx context.Context, spec orderset.SetSpec, account orderset.Account, key envelope.DrawKey, provider *reconcile.Provider) (*orderset.Books, error) {
	auditor, err := orderset.OpenAuditor(spec, account, key)
	if err != nil {
		return nil, err
	}
	if err := answers(ctx, auditor.Ping); err != nil {
		return nil, errors.Join(err, auditor.Close())
	}
	b, err := auditor.Audit(ctx)
	if err == nil {
		var statements []envelope.Statement
		statements, err = provider.ClaimAll(ctx, []*orderset.Auditor{auditor})
		r.truth = append(r.truth, statements...)
	}
	return b, errors.Join(err, auditor.Close())
}

// auditProvider compares with the provider's own book, where there is one to be
// read whole.
func (r *Report) auditProvider(ctx context.Context, s *settings.Settings, provider *reconcile.Provider, whole bool) {
	if s.Environment == settings.Production {
		r.Provider.Why = "only a simulator shows its whole ledger"
		return
	}
	if !whole {
		r.Provider.Why = "not every SET could be read"
		return
	}
	err := simulator.ReadLedger(ctx, s.Payment.BaseURL, func(no, providerNo string, fen int64) {
		provider.Moved(reconcile.Movement{No: no, Amount: envelope.Fen(fen), ProviderNo: providerNo})
	})
	if err != nil {
		r.Provider.Why = err.Error()
		return
	}
	r.Provider.Compared = true
	r.Provider.Differences = append(r.Provider.Differences, provider.Differences()...)
}

func (r *Report) auditUsers(ctx context.Context, shards []books.Shard, account orderset.Account, whole bool) error {
	a, err := books.OpenAuditor(shards, account)
	if err != nil {
		return err
	}
	if err := answers(ctx, a.Ping); err != nil {
		return errors.Join(err, a.Close())
	}
	within, err := a.Audit(ctx)
	r.UserBooks.Violations = append(r.UserBooks.Violations, within...)
	if err == nil && whole {
		var against []books.Violation
		against, err = a.Compare(ctx, slices.Values(r.truth))
		r.UserBooks.Violations = append(r.UserBooks.Violations, against...)
		r.UserBooks.Compared = err == nil
	}
	return errors.Join(err, a.Close())
}

// Differs reports whether another look could show that nothing is wrong.
func (r *Report) Differs() bool {
	return len(r.UserBooks.Violations)+len(r.Provider.Differences) > 0
}

// Keep leaves of what differs what an earlier look has seen too.
func (r *Report) Keep(earlier *Report) {
	r.UserBooks.Violations = slices.DeleteFunc(r.UserBooks.Violations, func(v books.Violation) bool { return !slices.Contains(earlier.UserBooks.Violations, v) })
	r.Provider.Differences = slices.DeleteFunc(r.Provider.Differences, func(d reconcile.Difference) bool { return !slices.Contains(earlier.Provider.Differences, d) })
}

// Found reports whether something is wrong, or could not be read.
func (r *Report) Found() bool {
	bad := func(s Set) bool { return s.Error != "" || len(s.Books.Violations) > 0 }
	return r.Differs() || r.UserBooks.Error != "" || slices.ContainsFunc(r.Sets, bad)
}
