package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hongbao/envelope"
)

// looksMax bounds how often a driver compares before it believes a difference.
const looksMax = 10

// Source is a book of orders: one SET's.
type Source struct {
	Name string
	// Check holds the book to its own rules; nil: it has none to check.
	Check func(context.Context) ([]Difference, error)
	// Walk visits every envelope with its shares and its transfers.
	Walk func(ctx context.Context, visit func(*envelope.Statement, []envelope.Transfer) error) error
}

// ErrPartly is why a comparison has compared nothing, when all it could do was to
// hold the other book to its own rules.
var ErrPartly = errors.New("not every SET could be read")

// Comparison holds what all sources say to one other book. It is used once.
type Comparison interface {
	Name() string
	// Visit takes one envelope of a source.
	Visit(*envelope.Statement, []envelope.Transfer)
	// Compare reads the other book and returns what differs. Unless the sources
	// were read whole, only what the other book breaks by itself is known, and
	// the error is ErrPartly.
	Compare(ctx context.Context, whole bool) ([]Difference, error)
}

// Book is what was found about one source or one comparison.
type Book struct {
	Name        string       `json:"name"`
	Error       string       `json:"error,omitempty"` // it was not read, or not compared
	Partly      bool         `json:"partly"`          // not compared, because of another book
	Differences []Difference `json:"differences"`
}

// Report is what a driver found, in the order of what it was given.
type Report struct {
	Sources     []Book `json:"sources"`
	Comparisons []Book `json:"comparisons"`
}

// Driver compares books, in the same way for a test, a soak, a command and a job.
type Driver struct {
	Sources []Source
	// Comparisons are made anew for every look.
	Comparisons func() []Comparison
	// Looks is how often the books are compared while they differ, from 1. On a
	// service that runs, one of two books is a moment older; what an earlier look
	// has not seen too is no difference.
	Looks int
	Pause time.Duration // between two looks
}

func (d Driver) validate() error {
	if d.Looks < 1 || d.Looks > looksMax {
		return fmt.Errorf("reconcile: looks: want 1 <= x <= %d, have %d", looksMax, d.Looks)
	}
	return nil
}

// Run compares everything. A source that cannot be read hides no other; the error
// is that of ctx, or of the driver's own fields.
func (d Driver) Run(ctx context.Context) (*Report, error) {
	if err := d.validate(); err != nil {
		return nil, err
	}
	report := d.look(ctx)
	for n := 1; n < d.Looks && report.differs() && ctx.Err() == nil; n++ {
		select {
		case <-ctx.Done():
		case <-time.After(d.Pause):
			again := d.look(ctx)
			again.keep(report)
			report = again
		}
	}
	return report, ctx.Err()
}

// look reads every book once.
func (d Driver) look(ctx context.Context) *Report {
	var comparisons []Comparison
	if d.Comparisons != nil {
		comparisons = d.Comparisons()
	}
	visit := func(s *envelope.Statement, transfers []envelope.Transfer) error {
		for _, c := range comparisons {
			c.Visit(s, transfers)
		}
		return nil
	}
	report, whole := &Report{}, true
	for _, s := range d.Sources {
		found, err := s.check(ctx)
		if err == nil && len(comparisons) > 0 {
			err = s.Walk(ctx, visit)
		}
		whole = whole && err == nil
		report.Sources = append(report.Sources, book(s.Name, found, err))
	}
	for _, c := range comparisons {
		found, err := c.Compare(ctx, whole)
		report.Comparisons = append(report.Comparisons, book(c.Name(), found, err))
	}
	return report
}

func (s Source) check(ctx context.Context) ([]Difference, error) {
	if s.Check == nil {
		return nil, nil
	}
	return s.Check(ctx)
}

func book(name string, found []Difference, err error) Book {
	b := Book{Name: name, Differences: append([]Difference{}, found...)}
	if err != nil {
		b.Error, b.Partly = err.Error(), errors.Is(err, ErrPartly)
	}
	return b
}

// differs reports whether another look could show that nothing is wrong: a source
// is checked at one moment, two books are not.
func (r *Report) differs() bool {
	return slices.ContainsFunc(r.Comparisons, func(b Book) bool { return len(b.Differences) > 0 })
}

// keep leaves of what two books differ in what an earlier look has seen too.
func (r *Report) keep(earlier *Report) {
	for i := range r.Comparisons {
		b := &r.Comparisons[i]
		b.Differences = slices.DeleteFunc(b.Differences, func(d Difference) bool {
			return !slices.Contains(earlier.Comparisons[i].Differences, d)
		})
	}
}

// Unread are the errors of what could not be read or compared, each with its name.
func (r *Report) Unread() (all []error) {
	for _, b := range slices.Concat(r.Sources, r.Comparisons) {
		if b.Error != "" {
			all = append(all, fmt.Errorf("%s: %s", b.Name, b.Error))
		}
	}
	return all
}
