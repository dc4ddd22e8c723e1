package reconcile_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hongbao/envelope"
	"hongbao/reconcile"
)

// memory is a book that has what it was visited with, and what it is given.
type memory struct {
	visited int
	whole   bool
	found   []reconcile.Difference
	err     error
}

func (m *memory) Name() string { return "memory" }

func (m *memory) Visit(*envelope.Statement, []envelope.Transfer) { m.visited++ }

func (m *memory) Compare(_ context.Context, whole bool) ([]reconcile.Difference, error) {
	m.whole = whole
	return m.found, m.err
}

// source is a SET of n envelopes.
func source(name string, n int, broken error, found ...reconcile.Difference) reconcile.Source {
	return reconcile.Source{
		Name:  name,
		Check: func(context.Context) ([]reconcile.Difference, error) { return found, broken },
		Walk: func(_ context.Context, visit func(*envelope.Statement, []envelope.Transfer) error) error {
			for range n {
				if err := visit(&envelope.Statement{}, nil); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func difference(key string) reconcile.Difference {
	return reconcile.Difference{Rule: "rule", Key: key, Have: "have"}
}

func all(r *reconcile.Report) (found []reconcile.Difference) {
	for _, b := range slices.Concat(r.Sources, r.Comparisons) {
		found = append(found, b.Differences...)
	}
	return found
}

func TestEveryBookIsReadOnce(t *testing.T) {
	var a, b memory
	report, err := reconcile.Driver{
		Sources:     []reconcile.Source{source("one", 2, nil, difference("a")), source("other", 3, nil)},
		Comparisons: func() []reconcile.Comparison { return []reconcile.Comparison{&a, &b} },
		Looks:       1,
	}.Run(t.Context())
	if err != nil || a.visited != 5 || b.visited != 5 || !a.whole {
		t.Errorf("visited %d and %d, whole %t, %v", a.visited, b.visited, a.whole, err)
	}
	if got := all(report); !slices.Equal(got, []reconcile.Difference{difference("a")}) || len(report.Unread()) != 0 {
		t.Errorf("found %v, unread %v", got, report.Unread())
	}
}

func TestASourceThatFailsHidesNoOther(t *testing.T) {
	m := memory{found: []reconcile.Difference{difference("m")}, err: reconcile.ErrPartly}
	report, err := reconcile.Driver{
		Sources:     []reconcile.Source{source("down", 2, errors.New("no answer")), source("up", 3, nil, difference("u"))},
		Comparisons: func() []reconcile.Comparison { return []reconcile.Comparison{&m} },
		Looks:       1,
	}.Run(t.Context())
	if err != nil || m.visited != 3 || m.whole || len(all(report)) != 2 {
		t.Errorf("visited %d, whole %t, found %v, %v", m.visited, m.whole, all(report), err)
	}
	if !report.Comparisons[0].Partly || report.Sources[0].Partly {
		t.Errorf("partly read: %+v", report)
	}
	if unread := report.Unread(); len(unread) != 2 || unread[0].Error() != "down: no answer" || unread[1].Error() != "memory: not every SET could be read" {
		t.Errorf("unread %v", unread)
	}
}

// A moment lies between two books of a service that runs; what every look finds
// is a difference.
func TestOnlyWhatEveryLookFindsDiffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			looks [][]reconcile.Difference // what each finds
			want  []reconcile.Difference
			times int
		}{
			"nothing at first": {[][]reconcile.Difference{nil, {difference("a")}}, nil, 1},
			"gone":             {[][]reconcile.Difference{{difference("a")}, nil, {difference("a")}}, nil, 2},
			"stays":            {[][]reconcile.Difference{{difference("a"), difference("b")}, {difference("b")}, {difference("c"), difference("b")}}, []reconcile.Difference{difference("b")}, 3},
		} {
			looks := 0
			start := time.Now()
			report, err := reconcile.Driver{
				Sources: []reconcile.Source{source("one", 0, nil)},
				Comparisons: func() []reconcile.Comparison {
					looks++
					return []reconcile.Comparison{&memory{found: slices.Clone(c.looks[looks-1])}}
				},
				Looks: 3, Pause: time.Second,
			}.Run(t.Context())
			if err != nil || looks != c.times || !slices.Equal(all(report), c.want) || time.Since(start) != time.Duration(c.times-1)*time.Second {
				t.Errorf("%s: %d looks in %v found %v, %v", name, looks, time.Since(start), all(report), err)
			}
		}
	})
}

func TestADriverLooksOnceAtLeast(t *testing.T) {
	for _, looks := range []int{-1, 0, 11} {
		if _, err := (reconcile.Driver{Looks: looks}).Run(t.Context()); err == nil {
			t.Errorf("%d looks: accepted", looks)
		}
	}
}

func TestADifferenceReadsAsASentence(t *testing.T) {
	for want, d := range map[string]reconcile.Difference{
		"I1 17: three shares of two":         {Rule: "I1", Key: "17", Have: "three shares of two"},
		"amount p: want 1 fen, have 2 fen":   {Rule: "amount", Key: "p", Want: "1 fen", Have: "2 fen"},
		"the crowd is answered: one was not": {Rule: "the crowd is answered", Have: "one was not"},
	} {
		if got := d.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	var found reconcile.Found
	for range reconcile.DifferencesMax + 1 {
		found.Add(difference("a"))
	}
	if len(found) != reconcile.DifferencesMax {
		t.Errorf("%d differences are kept", len(found))
	}
}
