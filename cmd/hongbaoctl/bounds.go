package main

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/alecthomas/kong"

	"hongbao/internal/operator"
	"hongbao/internal/playground"
	"hongbao/loadtest"
	"hongbao/loadtest/measure"
	"hongbao/loadtest/past"
	"hongbao/loadtest/soak"
)

// Flags are held to their bounds before anything is read or called: a wrong one
// is wrong usage. The packages that use them hold them to the same.

// within is the rule of most of them.
func within[T cmp.Ordered](flag string, v, min, max T) error {
	if v >= min && v <= max { // NaN is in no bounds
		return nil
	}
	return fmt.Errorf("--%s: want %v to %v, have %v", flag, min, max, v)
}

const (
	rateMax  = 100_000 // of anything, in a second
	hurryMax = 1000
)

// Validate implements the rule. Zero stands for a flag that is not given, so one
// that is given as zero is refused here.
func (u playgroundUpCmd) Validate(c *kong.Context) error {
	for _, at := range c.Path {
		if at.Flag != nil && at.Flag.Name != "no-tour" && at.Flag.Name != "keep-config" && at.Flag.Target.IsZero() {
			return fmt.Errorf("--%s: it is given as %v; give it a value, or leave the flag out", at.Flag.Name, at.Flag.Target)
		}
	}
	return u.withinBounds()
}

func (u playgroundUpCmd) withinBounds() error {
	shape := playground.Shape(u.playgroundFlags).Or(playground.Default()) // what is not given is as before, which was within
	errs := []error{within("sets", shape.Sets, 1, playground.SetsMax)}
	taken := map[int]string{}
	for _, p := range shape.Ports() {
		errs = append(errs, within(p.Of, p.Port, playground.PortMin, playground.PortMax))
		if other, twice := taken[p.Port]; twice {
			errs = append(errs, fmt.Errorf("--%s and --%s: both are %d", other, p.Of, p.Port))
		}
		taken[p.Port] = p.Of
	}
	return errors.Join(errs...)
}

// Validate implements the rule.
func (l loadFlags) Validate() error { return within("hurry", l.Hurry, 1, hurryMax) }

// Validate implements the rule.
func (l loadCellCmd) Validate() error {
	return errors.Join(l.loadFlags.Validate(), within("callers", l.Callers, 1, loadtest.CallersMax), within("rounds", l.Rounds, 1, measure.RoundsMax),
		within("duration", l.Duration, 0, loadDurationMax))
}

// Validate implements the rule.
func (l loadRunCmd) Validate() error {
	return errors.Join(within("duration", l.Duration, time.Second, loadDurationMax), within("rate", l.Rate, 1, rateMax),
		within("sends", l.Sends, 0.1, rateMax), within("connections", l.Connections, 1, loadtest.CallersMax))
}

// Validate implements the rule.
func (l loadSoakCmd) Validate() error {
	return errors.Join(within("duration", l.Duration, time.Second, soak.LengthMax), within("lies", l.Lies, 0, soak.LieRateMax),
		within("rate", l.Rate, 0.01, rateMax))
}

// Validate implements the rule.
func (l loadPipelineCmd) Validate() error {
	return errors.Join(l.loadFlags.Validate(), within("duration", l.Duration, time.Second, time.Hour), within("share", l.Share, 0.01, 1))
}

// Validate implements the rule.
func (l loadFullCmd) Validate() error {
	return errors.Join(l.loadFlags.Validate(), within("envelopes", l.Envelopes, 1, past.EnvelopesMax), within("rounds", l.Rounds, 1, measure.RoundsMax))
}

// Validate implements the rule.
func (p profileCmd) Validate() error {
	if p.Seconds != 0 {
		return within("seconds", int(p.Seconds), 1, operator.ProfileSecondsMax)
	}
	return nil
}
