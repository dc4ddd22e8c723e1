package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"hongbao/cmd/internal/command"
	"hongbao/envelope"
	"hongbao/internal/books"
	"hongbao/internal/payment/simulator"
	"hongbao/internal/settings"
	"hongbao/orderset"
	"hongbao/reconcile"
)

// auditCmd runs every auditor there is. It reads with the audit account, which may
// only SELECT, and trusts no stored result: what can be recomputed is.
type auditCmd struct {
	Looks int `help:"What differs between two books is looked at this often, 1 to 10: on a service that runs, one of them is a moment older." default:"3"`
}

// Validate implements the rule.
func (a auditCmd) Validate() error { return within("looks", a.Looks, 1, 10) }

// auditPause is between two looks: what was under way has been carried out by then.
const auditPause = 3 * time.Second

// auditReport is what all auditors have found.
type auditReport struct {
	Sets      []auditedSet    `json:"sets"`
	UserBooks auditedBooks    `json:"user_books"`
	Provider  auditedProvider `json:"provider"`
	truth     []envelope.Statement
}

type auditedSet struct {
	Set   string          `json:"set"`
	Error string          `json:"error,omitempty"` // it could not be read
	Books *orderset.Books `json:"books,omitempty"`
}

type auditedBooks struct {
	Error      string            `json:"error,omitempty"`
	Compared   bool              `json:"compared"` // with the SETs' rows, which takes all SETs
	Violations []books.Violation `json:"violations"`
}

type auditedProvider struct {
	Compared    bool                   `json:"compared"`
	Why         string                 `json:"why,omitempty"` // it was not
	Differences []reconcile.Difference `json:"differences"`
}

func (a auditCmd) Run(ctx context.Context, c *cli) error {
	s, err := settings.Load(c.Config)
	if err != nil {
		return err
	}
	report, err := auditOnce(ctx, s)
	for look := 1; err == nil && look < a.Looks && report.differs(); look++ {
		if err = sleep(ctx, auditPause); err != nil {
			break
		}
		var again *auditReport
		if again, err = auditOnce(ctx, s); err == nil {
			again.keep(report)
			report = again
		}
	}
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(report)
	} else {
		report.print()
	}
	if err == nil && report.found() {
		err = command.ErrFinding
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// auditOnce reads every book once. A SET that does not answer hides no other, but
// what takes all SETs is not compared then.
func auditOnce(ctx context.Context, s *settings.Settings) (*auditReport, error) {
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
	r := &auditReport{UserBooks: auditedBooks{Violations: []books.Violation{}}, Provider: auditedProvider{Differences: []reconcile.Difference{}}}
	var provider reconcile.Provider
	whole := true
	for _, spec := range topology.Specs() {
		one := auditedSet{Set: spec.Number.String()}
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

// answerMax is how long a database may take to answer at all.
const answerMax = 5 * time.Second

func answers(ctx context.Context, ping func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, answerMax)
	defer cancel()
	return ping(ctx)
}

func (r *auditReport) auditSet(ctx context.Context, spec orderset.SetSpec, account orderset.Account, key envelope.DrawKey, provider *reconcile.Provider) (*orderset.Books, error) {
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
func (r *auditReport) auditProvider(ctx context.Context, s *settings.Settings, provider *reconcile.Provider, whole bool) {
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

func (r *auditReport) auditUsers(ctx context.Context, shards []books.Shard, account orderset.Account, whole bool) error {
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

// differs reports whether another look could show that nothing is wrong.
func (r *auditReport) differs() bool {
	return len(r.UserBooks.Violations)+len(r.Provider.Differences) > 0
}

// keep leaves of what differs what an earlier look has seen too.
func (r *auditReport) keep(earlier *auditReport) {
	r.UserBooks.Violations = slices.DeleteFunc(r.UserBooks.Violations, func(v books.Violation) bool { return !slices.Contains(earlier.UserBooks.Violations, v) })
	r.Provider.Differences = slices.DeleteFunc(r.Provider.Differences, func(d reconcile.Difference) bool { return !slices.Contains(earlier.Provider.Differences, d) })
}

// found reports whether something is wrong, or could not be read.
func (r *auditReport) found() bool {
	bad := func(s auditedSet) bool { return s.Error != "" || len(s.Books.Violations) > 0 }
	return r.differs() || r.UserBooks.Error != "" || slices.ContainsFunc(r.Sets, bad)
}

func (r *auditReport) print() {
	for _, s := range r.Sets {
		if s.Error != "" {
			fmt.Fprintf(os.Stderr, "SET %s could not be read: %s\n", s.Set, printable(s.Error))
			continue
		}
		b := s.Books
		fmt.Printf("SET %s: %d envelopes, %d shares; paid %v = opened %v + refunded %v + remaining %v; %d violations\n",
			s.Set, b.Envelopes, b.Shares, b.Paid, b.Opened, b.Refunded, b.Remaining, len(b.Violations))
		for _, v := range b.Violations {
			fmt.Printf("  %s\n", printable(v.String()))
		}
	}
	fmt.Printf("users' books: %d differences%s\n", len(r.UserBooks.Violations), map[bool]string{false: " within; not compared with the SETs'"}[r.UserBooks.Compared])
	for _, v := range r.UserBooks.Violations {
		fmt.Printf("  %s\n", printable(v.String()))
	}
	if r.UserBooks.Error != "" {
		fmt.Fprintf(os.Stderr, "users' books could not be read: %s\n", printable(r.UserBooks.Error))
	}
	if !r.Provider.Compared {
		fmt.Printf("provider: not compared: %s\n", printable(r.Provider.Why))
		return
	}
	fmt.Printf("provider: %d differences\n", len(r.Provider.Differences))
	for _, d := range r.Provider.Differences {
		fmt.Printf("  %s\n", printable(d.String()))
	}
}
