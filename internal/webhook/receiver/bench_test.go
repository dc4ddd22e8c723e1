package receiver

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/webhook"
)

const (
	benchCallers = 16
	benchCount   = 100 // shares of an envelope
	benchStretch = 4   // shares an event
)

var benchTime = time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)

// BenchmarkTell tells whole lives of envelopes, each in its order, from 16
// callers over HTTP on loopback: active, 25 times four shares, finished. CPU-µs is
// of the process, so it is the sender's and the receiver's together.
func BenchmarkTell(b *testing.B) {
	at := newBackend(b, 0)
	sender := at.sender()
	shares := make([]envelope.Share, benchCount)
	for i := range shares {
		shares[i] = envelope.Share{Seq: i + 1, User: envelope.UserID(fmt.Sprintf("user-%05d", i)), Amount: 100, OpenedAt: benchTime}
	}
	var told atomic.Int64
	var callers sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	start := cpuTime(b)
	for caller := range benchCallers {
		callers.Go(func() {
			for n := uint64(0); told.Load() < int64(b.N); n++ {
				for f := range benchLife(envelope.Body(1<<40+uint64(caller)<<32+n).In(3), shares) {
					if told.Add(1) > int64(b.N) {
						return
					}
					if err := sender.Notify(context.Background(), f); err != nil {
						b.Error(err)
						return
					}
				}
			}
		})
	}
	callers.Wait()
	b.ReportMetric(float64((cpuTime(b)-start).Microseconds())/float64(b.N), "CPU-µs/op")
	b.StopTimer()
	if l := at.list(); l.Received != b.N || l.Repeats+l.Refused+l.Disordered != 0 {
		b.Errorf("%d received, %d repeats, %d refused, %d out of order, want %d and none", l.Received, l.Repeats, l.Refused, l.Disordered, b.N)
	}
}

// benchLife is all there is to tell of an envelope.
func benchLife(id envelope.ID, shares []envelope.Share) iter.Seq[envelope.Fact] {
	e := envelope.Envelope{
		ID: id, Kind: envelope.Lucky, State: envelope.Active, Sender: "user-00001", Group: "group-0001",
		Greeting: "恭喜发财，大吉大利", Total: 100 * benchCount, Count: benchCount,
		PaidAt: benchTime, ExpiresAt: benchTime.Add(24 * time.Hour),
	}
	return func(yield func(envelope.Fact) bool) {
		more := yield(envelope.Fact{Kind: envelope.FactActive, Envelope: e})
		for stretch := range slices.Chunk(shares, benchStretch) {
			more = more && yield(envelope.Fact{Kind: envelope.FactOpened, Envelope: e, Shares: stretch})
		}
		e.State, e.OpenedCount, e.Opened, e.FinishedAt = envelope.Empty, benchCount, e.Total, benchTime.Add(time.Second)
		if more {
			yield(envelope.Fact{Kind: envelope.FactFinished, Envelope: e, Shares: shares, BestLuck: 1})
		}
	}
}

func (b *backend) sender() *webhook.Sender {
	b.t.Helper()
	tickets, err := envelope.NewTickets(envelope.TicketKey{Number: 1, Secret: []byte(strings.Repeat("t", 32))})
	if err != nil {
		b.t.Fatal(err)
	}
	sender, err := webhook.New(webhook.Config{
		URL: b.url + "/events", Secrets: []webhook.Secret{b.secret}, Tickets: tickets, AllowPrivate: true, Now: time.Now,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(sender.Close)
	return sender
}

// cpuTime is what the process has used so far, user and system.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
