package loadtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"hongbao/loadtest/wire"
)

// caller is one person's phone: one connection, one request at a time.
type caller struct {
	s       *Stage
	retry   Retry
	until   time.Duration // no retries after; 0 is for ever
	wire    *wire.Conn
	wait    *time.Timer
	records []Record
}

func newCaller(s *Stage, retry Retry) *caller {
	wait := time.NewTimer(time.Hour)
	wait.Stop()
	return &caller{s: s, retry: retry, wire: wire.New(s.addr, s.began, s.cfg.AnswerMax), wait: wait}
}

// tap opens an envelope, and retries as its Retry says.
func (c *caller) tap(ctx context.Context, t Tap, head []byte, due time.Duration) {
	first := due
	for try := 1; ; try++ {
		rec := Record{First: int64(first), Due: int64(due), Gift: t.Gift, User: t.User}
		wait := c.ask(&rec, head)
		c.records = append(c.records, rec)
		if rec.Class == Accepted || rec.Class == Wrong {
			return
		}
		if wait > 0 {
			c.wait.Reset(wait)
			select {
			case <-c.wait.C:
			case <-ctx.Done():
			}
		}
		due = c.s.now()
		if try >= c.retry.TriesMax || c.until > 0 && due >= c.until || ctx.Err() != nil {
			return
		}
	}
}

// ask carries out one request, completes its record and returns how long this
// person waits after such an answer.
func (c *caller) ask(rec *Record, head []byte) (wait time.Duration) {
	sent := c.s.now()
	a, err := c.wire.Ask(sent, head, c.s.tails[rec.User])
	got := c.s.now()
	rec.Sent, rec.Got, rec.Status = int64(sent), int64(got), int16(a.Status)
	switch {
	case errors.Is(err, wire.ErrUnreached):
		rec.Class = Unreached
		return max(unreachedPause, c.retry.PauseMax)
	case err != nil:
		rec.Class = Unknown
		return unreachedPause
	}
	switch a.Status {
	case http.StatusOK:
		c.read(rec, a.Body)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		rec.refused(time.Duration(rec.Got - rec.Due))
		rec.Curt = a.RetryAfter < 0
		return min(c.retry.PauseMax, time.Duration(a.RetryAfter)*time.Second)
	case http.StatusGatewayTimeout:
		rec.Class = Unknown
	default:
		c.wrong(rec, a.Body)
	}
	return 0
}

func (r *Record) refused(after time.Duration) {
	r.Class = RefusedFast
	if after > RefusedFastMax {
		r.Class = RefusedSlow
	}
}

// read completes the record of an answered open.
func (c *caller) read(rec *Record, body []byte) {
	o, ok := parseOpening(body)
	if !ok {
		c.wrong(rec, body)
		return
	}
	rec.Class, rec.Amount, rec.Seq = Accepted, int32(o.Amount), int16(o.Seq)
	rec.Outcome, _ = outcomeOf(o.Outcome)
}

func (c *caller) wrong(rec *Record, body []byte) {
	rec.Class = Wrong
	c.s.sample(fmt.Sprintf("open of %s: %d %.200s", c.s.lives[rec.Gift].id, rec.Status, body))
}
