package soak

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"hongbao/loadtest"
)

// Lies is what a simulated provider is to lie about: the rates, and how often
// each rule applies, as its tool takes them.
type Lies struct {
	Seed  uint64             `json:"seed"`
	Rates map[string]float64 `json:"rates,omitempty"`
	Rules []LieRule          `json:"rules,omitempty"`
}

// LieRule is one fault, simulated for the next operations of a kind.
type LieRule struct {
	Lie   string `json:"lie"`
	Kind  string `json:"kind,omitempty"`
	Times int    `json:"times"`
}

// Liar is a simulated provider that misbehaves as it is set to.
type Liar interface {
	Lie(ctx context.Context, about Lies) error // from now on this, instead of what was before
	Told(ctx context.Context) (map[string]int64, error)
	Honest(ctx context.Context) error // resets the counts
}

// The lies of a soak, by what they leave behind.
const (
	lieOutage      = "outage"
	lieNotEnough   = "not_enough"
	lieWrongAmount = "wrong_amount"
	lieTwice       = "twice"
	lieContrary    = "success_then_fail"
)

// rated are the lies that each operation may meet. An honest provider behaves so
// on a bad day, and nothing of it may leave a trace but disputed amounts.
func rated() []string {
	return append([]string{"timeout_after", "timeout_before", "execute_later", "timeout_later", "unknown_code", "unknown_code_after",
		"unknown_state", "unsigned_answer", "wrongly_signed_answer", "duplicate_callback", "drop_callback", "late_callback",
		"reordered_callback", "forged_callback", "probe_callback", lieWrongAmount, "slow_payee", "slow_acceptance"}, refusing()...)
}

// refusing are the lies after which money is held, for people.
func refusing() []string { return []string{"refuse_limit", "refuse_closed", "refuse_refund"} }

// bugs are those of a broken provider, which must be found.
func bugs() []string { return []string{lieTwice, lieContrary} }

// A provider that is out, or an account that is empty, is so for every call and
// for a while: by the call, a rate of it would keep the service from trying.
const (
	outageEvery    = time.Minute // or four times in a short soak
	outageFor      = time.Second
	notEnoughEvery = 4 * time.Minute // payouts pause for more than a minute each time; never in a short soak
)

// LieRateMax is the highest rate of each lie in a soak: with more of them, hardly
// anything ever succeeds.
const LieRateMax = 0.1

// tell has the provider lie until ctx ends, and then no more. The counts of what
// what it simulated stay.
func tell(ctx context.Context, liar Liar, seed uint64, rates map[string]float64, length time.Duration) (err error) {
	defer func() {
		if stop := liar.Lie(context.WithoutCancel(ctx), Lies{}); err == nil || ctx.Err() != nil {
			err = stop
		}
	}()
	every := min(outageEvery, length/4)
	empty := notEnoughEvery
	for at := time.Duration(0); ; at += every {
		seed++ // a document begins its dice anew
		about := Lies{Seed: seed, Rates: rates}
		if at >= empty {
			empty += notEnoughEvery
			about.Rules = []LieRule{{Lie: lieNotEnough, Kind: "payout", Times: 1}}
		}
		if err := liar.Lie(ctx, about); err != nil {
			return fmt.Errorf("lies: %w", err)
		}
		if err := loadtest.Sleep(ctx, every-outageFor/2); err != nil {
			return nil
		}
		out := maps.Clone(rates)
		out[lieOutage] = 1
		if err := liar.Lie(ctx, Lies{Seed: seed, Rates: out}); err != nil {
			return fmt.Errorf("lies: %w", err)
		}
		if err := loadtest.Sleep(ctx, outageFor); err != nil {
			return nil
		}
	}
}

// ratesOf is every rated lie, and the bugs where they are wanted, at one rate.
func ratesOf(rate float64, withBugs bool) map[string]float64 {
	names := rated()
	if withBugs {
		names = slices.Concat(names, bugs())
	}
	rates := map[string]float64{}
	for _, name := range names {
		rates[name] = rate
	}
	return rates
}

// since is what was simulated after before.
func since(before, after map[string]int64) map[string]int64 {
	told := map[string]int64{}
	for name, n := range after {
		if n > before[name] {
			told[name] = n - before[name]
		}
	}
	return told
}
