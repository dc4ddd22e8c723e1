package audit

import (
	"context"
	"slices"
	"time"

	"hongbao/internal/settings"
	"hongbao/orderset/audit"
	"hongbao/reconcile"
)

// Report is what all auditors have found.
type Report struct {
	Sets      []Set     `json:"sets"`
	UserBooks UserBooks `json:"user_books"`
	Provider  Provider  `json:"provider"`
}

// Set is what was found in one SET.
type Set struct {
	Set   string       `json:"set"`
	Error string       `json:"error,omitempty"` // it could not be read
	Books *audit.Books `json:"books,omitempty"`
}

// UserBooks is what was found in users' books.
type UserBooks struct {
	Error      string                 `json:"error,omitempty"`
	Compared   bool                   `json:"compared"` // with the SETs' rows, which takes all SETs
	Violations []reconcile.Difference `json:"violations"`
}

// Provider is what was found when the provider's ledger was compared.
type Provider struct {
	Compared    bool                   `json:"compared"`
	Why         string                 `json:"why,omitempty"` // it was not
	Differences []reconcile.Difference `json:"differences"`
}

// pause is between two looks: what was under way has been carried out by then.
const pause = 3 * time.Second

// All compares all books, and again, looks times at most, while they differ. A SET
// that does not answer hides no other, but what takes all SETs is not compared then.
func All(ctx context.Context, s *settings.Settings, looks int) (*Report, error) {
	b, err := Open(s)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	found, err := b.Driver(looks, pause, func() []reconcile.Comparison {
		if s.Environment == settings.Production {
			return nil
		}
		return []reconcile.Comparison{&reconcile.Provider{Movements: Movements(s.Payment.BaseURL)}}
	}).Run(ctx)
	if err != nil {
		return nil, err
	}
	return b.report(found), nil
}

// report is what the driver found, with the books of the SETs.
func (b *Books) report(found *reconcile.Report) *Report {
	r := &Report{Provider: Provider{Why: "only a simulator shows its whole ledger", Differences: []reconcile.Difference{}}}
	for i, set := range b.sets {
		one := Set{Set: set.number.String(), Error: found.Sources[i].Error}
		if one.Error == "" {
			one.Books = set.books
		}
		r.Sets = append(r.Sets, one)
	}
	users := found.Comparisons[0]
	r.UserBooks = UserBooks{Error: users.Error, Compared: users.Error == "", Violations: users.Differences}
	if users.Partly {
		r.UserBooks.Error = "" // they were read; what could not be is said of the SET
	}
	if len(found.Comparisons) > 1 {
		provider := found.Comparisons[1]
		r.Provider = Provider{Why: provider.Error, Compared: provider.Error == "", Differences: provider.Differences}
	}
	return r
}

// Found reports whether something is wrong, or could not be read.
func (r *Report) Found() bool {
	bad := func(s Set) bool { return s.Error != "" || len(s.Books.Violations) > 0 }
	return len(r.UserBooks.Violations)+len(r.Provider.Differences) > 0 || r.UserBooks.Error != "" || slices.ContainsFunc(r.Sets, bad)
}
