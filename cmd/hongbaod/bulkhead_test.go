package main_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hongbao/internal/settest"
)

func TestFrozenDatabaseSlowsNoOtherSet(t *testing.T) {
	p := settest.Playground(t)
	const count = 100
	tickets := inEachSet(t, p, fmt.Sprintf(`{"kind":"lucky","total_fen":50000,"count":%d,"group_id":"g"}`, count))
	var ill, well string
	for id := range tickets {
		if id[19:22] == "000" {
			ill = id
		} else {
			well = id
		}
	}
	if err := syscall.Kill(p.DatabasePID(0), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	thaw := sync.OnceFunc(func() { syscall.Kill(p.DatabasePID(0), syscall.SIGCONT) })
	defer thaw()
	ctx, cancel := context.WithTimeout(t.Context(), answerMax)
	defer cancel()
	storm, stop := context.WithCancel(ctx)
	var crowd sync.WaitGroup
	var refused atomic.Int64
	for u := range 50 { // people keep knocking at the frozen SET
		crowd.Go(func() {
			for storm.Err() == nil {
				a, err := p.Call(storm, http.MethodPost, "/v1/envelopes/"+ill+"/open", fmt.Sprintf("ill-%d", u), "", "Envelope-Ticket", tickets[ill])
				if err == nil && (a.Status == http.StatusServiceUnavailable || a.Status == http.StatusTooManyRequests) {
					refused.Add(1)
					if a.Header.Get("Retry-After") == "" {
						t.Errorf("refused without Retry-After: %s", a.Body)
					}
				}
			}
		})
	}
	await(t, "the frozen SET is refused", func() bool { return refused.Load() > 100 })
	var slowest time.Duration
	c := newCrowd(p)
	for u := range count {
		start := time.Now()
		if err := c.open(ctx, well, tickets[well], fmt.Sprintf("well-%d", u)); err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, time.Since(start))
	}
	const bound = 3 * time.Second // an open that waits for a frozen database takes 4 s at least; a busy machine may take 2
	t.Logf("slowest of %d opens in the other SET: %v", count, slowest)
	if slowest > bound {
		t.Errorf("an open in the other SET took %v while one was frozen", slowest)
	}
	sent := p.Send(t, "sender", "", `{"kind":"lucky","total_fen":100,"count":1,"group_id":"g"}`)
	if sent.Status != http.StatusCreated || sent.String("id")[19:22] != "001" {
		t.Errorf("a send while SET 000 is frozen: %d %s", sent.Status, sent.Body)
	}
	stop()
	crowd.Wait()
	thaw()
	for u := range 50 { // thawed, it serves again, and no payout was made twice
		if err := c.open(ctx, ill, tickets[ill], fmt.Sprintf("ill-%d", u)); err != nil {
			t.Fatal(err)
		}
	}
}
