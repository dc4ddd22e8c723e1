package playground

import (
	"context"
	"fmt"
	"sync"
	"time"

	"hongbao/internal/cluster"
)

// Bounds of starting again what has ended.
const (
	restartPause    = time.Second
	restartPauseMax = 30 * time.Second
	// restartsMax in a row, with no steadyAfter between, and it is left to people.
	restartsMax = 8
	steadyAfter = time.Minute
)

// part is one process of the playground and how to start it.
type part struct {
	what    string
	current func() *cluster.Process
	start   func(context.Context) error
}

// Supervise starts again what dies, until ctx ends. A database has one node here, so
// there is no other one that could have become primary meanwhile.
func (p *Playground) Supervise(ctx context.Context) {
	parts := []part{
		{"hongbaod", p.get(&p.daemon), p.startDaemon},
		{"payment simulator", p.get(&p.simulator), p.startSimulator},
		{"receiver of events", p.get(&p.receiver), p.startReceiver},
		{"memcached", p.processOf(func() *cluster.Process { return p.memcached.Process }), p.startMemcached},
		{"mariadbd of users' books", p.processOf(func() *cluster.Process { return p.books.Process }), p.startBooks},
	}
	for i := range p.sets {
		parts = append(parts, part{fmt.Sprintf("mariadbd of SET %03d", i),
			p.processOf(func() *cluster.Process { return p.sets[i].Process }), func(ctx context.Context) error { return p.startSet(ctx, i) }})
	}
	var wg sync.WaitGroup
	for _, one := range parts {
		wg.Go(func() { p.watch(ctx, one) })
	}
	wg.Wait()
}

// watch is for one part. The pause doubles while it does not stay up, and after
// restartsMax it is given up: what cannot start has a reason that is in its log.
func (p *Playground) watch(ctx context.Context, one part) {
	pause, tries, started := restartPause, 0, time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-one.current().Done():
		}
		if time.Since(started) >= steadyAfter {
			pause, tries = restartPause, 0
		}
		if tries == restartsMax {
			p.say("%s does not stay up: it was started again %d times, see its log in %s. Stop the playground and start it again.", one.what, tries, p.cfg.Dir)
			return
		}
		tries++
		p.say("%s ended (%v); starting it again in %v", one.what, one.current().Err(), pause)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause, started = min(2*pause, restartPauseMax), time.Now()
		err := one.start(ctx)
		if err == nil {
			err = p.describe()
		}
		if err != nil && ctx.Err() == nil {
			p.say("%s: %v", one.what, err)
		}
	}
}

// processOf reads a part under the lock that its restart writes it under.
func (p *Playground) processOf(read func() *cluster.Process) func() *cluster.Process {
	return func() *cluster.Process {
		p.mu.Lock()
		defer p.mu.Unlock()
		return read()
	}
}

func (p *Playground) get(at **cluster.Process) func() *cluster.Process {
	return p.processOf(func() *cluster.Process { return *at })
}
