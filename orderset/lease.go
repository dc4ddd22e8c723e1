package orderset

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
)

const (
	// leaseLife is how far ahead a lease reaches: how long minting survives
	// without the granting SET, and how long a killed process keeps its number.
	leaseLife = 15 * time.Second
	// leaseRenewal leaves several tries before the life is over.
	leaseRenewal  = 3 * time.Second
	leaseTryMax   = 2 * time.Second
	leaseRetry    = 500 * time.Millisecond
	leaseOwnerMax = 128
)

// lease is a machine number owned for a span of milliseconds. until is the
// high-water mark of the row: its owner never mints a later millisecond, and
// no process takes the row over before that one has passed on its own clock. since
// is where the owner before had it: should the clock step back after all, no
// millisecond up to there is minted again.
type lease struct {
	set          envelope.SetNumber
	machine      int
	owner        string
	term         int64
	since, until time.Time
}

var errLeaseLost = errors.New("the machine number has another owner now")

// grant leases a free machine number of the SET's block, if it has one.
func (s *Set) grant(ctx context.Context, block int, owner string, now time.Time) (lease, error) {
	ctx, cancel := context.WithTimeout(ctx, leaseTryMax)
	defer cancel()
	first := block * MachineBlockSize
	type free struct {
		machine int
		term    int64
		until   int64
	}
	var frees []free
	err := mariadb.Each(ctx, s.db, func(rows *sql.Rows) error {
		var f free
		err := rows.Scan(&f.machine, &f.term, &f.until)
		frees = append(frees, f)
		return err
	}, selectFreeLeases, first, first+MachineBlockSize-1, now.UnixMilli())
	if err != nil {
		return lease{}, s.db.Answer("lease", err)
	}
	until := now.Add(leaseLife).Truncate(time.Millisecond)
	for _, f := range frees {
		res, err := s.db.ExecContext(ctx, takeLease, owner, until.UnixMilli(), f.machine, f.term, f.until)
		if err != nil {
			return lease{}, s.db.Answer("lease", err)
		}
		if n, err := res.RowsAffected(); err == nil && n == 1 {
			return lease{set: s.Number(), machine: f.machine, owner: owner, term: f.term + 1, since: time.UnixMilli(f.until), until: until}, nil
		}
	}
	return lease{}, fmt.Errorf("SET %v: all %d machine numbers of block %d are leased", s.Number(), MachineBlockSize, block)
}

// renew moves the lease's end to until.
func (s *Set) renew(ctx context.Context, l lease, until time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, leaseTryMax)
	defer cancel()
	res, err := s.db.ExecContext(ctx, renewLease, until.UnixMilli(), l.machine, l.owner, l.term, until.UnixMilli())
	if err != nil {
		return s.db.Answer("renew lease", err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(errLeaseLost, err)
	}
	return nil
}

// KeepMinting leases a machine number and renews it until ctx ends, then gives
// it back. When the granting SET is lost it goes to another one. ready is closed
// once the first lease is held.
func (r *Router) KeepMinting(ctx context.Context, ready chan<- struct{}) {
	tick := time.NewTicker(leaseRenewal)
	defer tick.Stop()
	var held lease
	failing, last := false, r.cfg.Now()
	for ctx.Err() == nil {
		wait := tick.C
		last = r.watchClock(last)
		var err error
		if held, err = r.keep(ctx, held); err != nil {
			if !failing {
				r.cfg.Log.Warn("no machine number can be leased or renewed; trying on", "error", err)
			}
			failing, wait = true, time.After(leaseRetry)
		} else {
			if failing {
				r.cfg.Log.Info("the machine number is renewed again", "set", held.set, "machine", held.machine)
			}
			if failing = false; ready != nil {
				close(ready)
				ready = nil
			}
		}
		select {
		case <-ctx.Done():
		case <-wait:
		}
	}
	r.giveBack(context.WithoutCancel(ctx))
}

// watchClock writes steps of the clock to the log: what it said moved by more or
// less than the time that has passed.
func (r *Router) watchClock(last time.Time) time.Time {
	now := r.cfg.Now()
	if step := now.Round(0).Sub(last.Round(0)) - now.Sub(last); step > stepBackMax || step < -stepBackMax {
		r.cfg.Log.Warn("the clock stepped", "by", step.Round(time.Millisecond))
	}
	return now
}

// keep renews the lease that is held, or takes a new one.
func (r *Router) keep(ctx context.Context, held lease) (lease, error) {
	now := r.cfg.Now()
	silent := false // the granting SET did not answer: the number is still ours
	if held.owner != "" {
		until := now.Add(leaseLife).Truncate(time.Millisecond)
		if !until.After(held.until) {
			return held, nil // the clock stepped back, the high-water mark must not
		}
		err := errLeaseLost // of a SET that has left no number is renewed
		if s, there := r.sets.Get(held.set); there {
			err = s.renew(ctx, held, until)
		}
		if err == nil {
			held.until = until
			r.mint.extend(until)
			return held, nil
		}
		if !errors.Is(err, errLeaseLost) && now.Before(held.until.Add(-leaseLife/3)) {
			return held, err // there is time to try this SET again
		}
		silent = !errors.Is(err, errLeaseLost)
		r.cfg.Log.Warn("machine number lost", "set", held.set, "machine", held.machine, "error", err)
	}
	var errs []error
	for _, spec := range r.topology.Load().specs {
		s, there := r.sets.Get(spec.Number)
		if !there || spec.MachineBlock < 0 || silent && spec.Number == held.set {
			continue
		}
		l, err := s.grant(ctx, spec.MachineBlock, r.cfg.Owner, r.cfg.Now())
		if err == nil {
			r.cfg.Log.Info("machine number leased", "set", l.set, "machine", l.machine, slog.Int64("term", l.term))
			return l, r.mint.take(l)
		}
		errs = append(errs, err)
	}
	return held, errors.Join(errs...)
}

// giveBack ends the lease at the last millisecond that was used, so that the
// number is free at once.
func (r *Router) giveBack(ctx context.Context) {
	l, last := r.mint.stop()
	if l.owner == "" {
		return
	}
	if last.Before(r.cfg.Now()) {
		last = r.cfg.Now()
	}
	ctx, cancel := context.WithTimeout(ctx, leaseTryMax)
	defer cancel()
	s, there := r.sets.Get(l.set)
	if !there {
		return // its SET has left; the number is free again when the lease ends
	}
	if _, err := s.db.ExecContext(ctx, returnLease, last.UnixMilli(), l.machine, l.owner, l.term); err != nil {
		r.cfg.Log.Warn("machine number not given back; it is free again when the lease ends", "until", l.until, "error", err)
	}
}
