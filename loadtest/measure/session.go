package measure

import (
	"context"
	"fmt"
	"time"

	"hongbao/loadtest"
)

// Session is under which conditions something was measured, and whether what the
// crowd was answered is true. The figures of one that has not passed are withheld.
type Session struct {
	Machine    Machine           `json:"machine"`
	Durability string            `json:"durability"`
	Seed       uint64            `json:"seed"`
	Started    time.Time         `json:"started"`
	Seconds    float64           `json:"seconds"`
	Strangers  float64           `json:"cpu_share_of_others"` // of the machine, while measuring: what it had no part in
	HeldBack   bool              `json:"transfers_held_back"` // payouts, books and events waited until it was over
	Passed     bool              `json:"audit_passed"`
	Verdict    *loadtest.Verdict `json:"audit"`
	Books      []Books           `json:"books,omitempty"`
}

// close ends a measurement: it reads the books and judges.
func (c *comparison) close(ctx context.Context) (Session, error) {
	c.progress("read the books")
	s := Session{Machine: ThisMachine(), Durability: c.durability, Seed: c.cfg.Seed, Started: c.started, HeldBack: c.cfg.HeldBack, Verdict: c.verdict}
	var err error
	if c.cfg.Books != nil {
		if s.Books, err = c.cfg.Books(ctx); err != nil {
			return s, fmt.Errorf("books: %w", err)
		}
	}
	s.Passed = c.verdict.Passed() && balanced(s.Books)
	s.Strangers = over(c.strangers.Seconds(), c.measured.Seconds()*float64(s.Machine.CPUs))
	s.Seconds = time.Since(c.started).Seconds()
	return s, nil
}

// strangersMax is the share of the CPUs that others may use before figures say
// more about them than about us.
const strangersMax = 0.1

// Disturbed reports whether so much else ran on the machine that the figures are
// worth little.
func (s *Session) Disturbed() bool { return s.Strangers > strangersMax }

func balanced(books []Books) bool {
	for _, b := range books {
		if len(b.Violations) > 0 {
			return false
		}
	}
	return true
}
