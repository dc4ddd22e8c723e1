package relay

import (
	"context"
	"sync"
	"time"
)

const (
	pausesAskEvery = time.Second
	pausesAskMax   = 2 * time.Second
)

// pauses knows which topics people have paused, as of a second ago.
type pauses struct {
	ask func(context.Context) (map[string]string, error)
	now func() time.Time

	mu    sync.Mutex // guards the fields below, and makes askers wait for one answer
	asked time.Time
	known map[string]string
}

// paused keeps to the last answer while there is no other: a pause must not end
// because the database was not there for a moment.
func (p *pauses) paused(ctx context.Context, topic string) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now(); now.Sub(p.asked) >= pausesAskEvery {
		ctx, cancel := context.WithTimeout(ctx, pausesAskMax)
		defer cancel()
		known, err := p.ask(ctx)
		if err != nil {
			return true, err
		}
		p.known, p.asked = known, now
	}
	_, paused := p.known[topic]
	return paused, nil
}

// forget makes the next question reach the database.
func (p *pauses) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = time.Time{}
}
