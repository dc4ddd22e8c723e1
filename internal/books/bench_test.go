package books_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/books"
	"hongbao/loadtest/measure"
)

// BenchmarkPost posts what a relay under load does: of 300 envelopes, four more
// shares each, opened by 2,000 people. It reports what of the machine a share
// costs, in µs of CPU of this process and of the database.
func BenchmarkPost(b *testing.B) {
	for again, name := range []string{"fresh", "fresh and a repeat"} {
		b.Run(name, func(b *testing.B) {
			newLibrary(b, 1)
			shelf := open(b, books.Config{Shards: []books.Shard{{Addr: server.Addr()}}, App: books.Account{User: "app", Password: "app-test"}})
			var party party
			var ours time.Duration
			before := databaseCPU(b)
			for b.Loop() {
				b.StopTimer()
				facts := party.goesOn()
				start := ownCPU(b)
				b.StartTimer()
				for range 1 + again {
					if err := shelf.Post(b.Context(), facts); err != nil {
						b.Fatal(err)
					}
				}
				ours += ownCPU(b) - start
			}
			shares := float64(b.N * partyEnvelopes * partyShares)
			b.ReportMetric(float64(ours.Microseconds())/shares, "go-µs/share")
			b.ReportMetric(float64((databaseCPU(b)-before).Microseconds())/shares, "mariadbd-µs/share")
			b.ReportMetric(shares/b.Elapsed().Seconds(), "shares/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

const (
	partyPeople    = 2000
	partyEnvelopes = 300 // that are opened at a time
	partyShares    = 4   // of each, until the next post
	partyCount     = 100 // shares an envelope has
)

// party is envelopes that are opened all at the same pace; where one is empty,
// the next begins.
type party struct {
	going [partyEnvelopes]struct {
		number int
		envelope.Statement
		told envelope.Cursor
	}
	begun int
}

// goesOn opens some more of each, and tells what is new.
func (p *party) goesOn() (facts []envelope.Fact) {
	for i := range p.going {
		g := &p.going[i]
		if g.Envelope.OpenedCount == g.Envelope.Count {
			p.begun++
			g.number, g.Statement, g.told = p.begun, gift(p.begun, guest(p.begun, 0)), envelope.Cursor{}
			g.Envelope.Count = partyCount
		}
		for range partyShares {
			n := len(g.Shares)
			g.Shares = append(g.Shares, envelope.Share{Seq: n + 1, User: guest(g.number, n), Amount: envelope.Fen(n%40 + 1),
				OpenedAt: g.Envelope.PaidAt.Add(time.Duration(n) * time.Second)})
			g.Envelope.OpenedCount++
		}
		if g.Envelope.OpenedCount == partyCount {
			g.Envelope.State = envelope.Empty
		}
		var fresh []envelope.Fact
		fresh, g.told = envelope.Owed(&g.Statement, g.told)
		facts = append(facts, fresh...)
	}
	return facts
}

// guest is the n-th to open an envelope: each opens once.
func guest(number, n int) envelope.UserID {
	return envelope.UserID(fmt.Sprintf("guest-%06d", (number*7919+n*1009)%partyPeople))
}

func databaseCPU(b *testing.B) time.Duration {
	used, err := measure.ProcessCPU(server.PID())
	if err != nil {
		b.Fatal(err)
	}
	return used
}

// ownCPU is finer than what /proc says: one post takes a few of its ticks.
func ownCPU(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
