package orderset_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset"
)

// What is owed after some opens: three new shares of each of a hundred envelopes,
// opened in two transactions. The envelopes have a hundred shares each.
const (
	owedEnvelopes = 100
	owedShares    = 3 * owedEnvelopes
	owedCount     = 99
)

// opener keeps a world's envelopes open: step by step until they are empty, then
// new ones.
type opener struct {
	w    *settest.World
	s    *orderset.Set
	es   []envelope.Envelope
	step int
}

// open takes the next three shares of each envelope.
func (o *opener) open(b *testing.B) {
	if o.step%(owedCount/3) == 0 {
		o.es = o.es[:0]
		for range owedEnvelopes {
			o.es = append(o.es, o.w.Active(b, 0, envelope.Order{Total: 100 * owedCount, Count: owedCount}))
		}
		spread(b, o.s)
	}
	for half := range 2 {
		var reqs []envelope.OpenRequest
		for _, e := range o.es[half*owedEnvelopes/2:][:owedEnvelopes/2] {
			for u := range 3 {
				reqs = append(reqs, envelope.OpenRequest{ID: e.ID, User: envelope.UserID(fmt.Sprintf("u%d-%d", o.step, u))})
			}
		}
		open(b, o.s, reqs)
	}
	o.step++
}

// cost adds up what of the processors some work takes: in the database's process,
// and in ours.
type cost struct {
	threads  string // of mariadbd, a pattern
	db, self time.Duration
}

func newCost(b *testing.B, w *settest.World) *cost {
	var file string
	if err := w.Admin(b, 0).QueryRowContext(b.Context(), "SELECT @@pid_file").Scan(&file); err != nil {
		b.Fatal(err)
	}
	pid, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	return &cost{threads: "/proc/" + strings.TrimSpace(string(pid)) + "/task/*/schedstat"}
}

// of does some work and adds what it takes.
func (c *cost) of(b *testing.B, work func()) {
	db, self := c.spentThere(b), spentHere(b)
	work()
	c.self += spentHere(b) - self
	c.db += c.spentThere(b) - db
}

func (c *cost) spentThere(b *testing.B) (spent time.Duration) {
	files, err := filepath.Glob(c.threads)
	if err != nil || len(files) == 0 {
		b.Fatalf("%s: %v", c.threads, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		ns, _ := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		spent += time.Duration(ns)
	}
	return spent
}

func spentHere(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (c *cost) report(b *testing.B, name string) {
	per := float64(b.N*owedShares) * float64(time.Microsecond)
	b.ReportMetric(float64(c.db)/per, name+"-db-µs/share")
	b.ReportMetric(float64(c.self)/per, name+"-go-µs/share")
}

// direct is an order server that batches, without the world's proxy between.
func direct(b *testing.B, w *settest.World) *orderset.Set {
	b.Helper()
	cfg := configOf(w, "direct")
	cfg.Memory, cfg.BatchPayouts = 1024, true
	cfg.Topology = topologyOf(b, w, func(specs []orderset.SetSpec) {
		specs[0].Primary = fmt.Sprint("127.0.0.1:", count(b, w.Admin(b, 0), "SELECT @@port"))
	})
	return newRouter(b, cfg).Sets()[0]
}

// BenchmarkAfterOpens is what the database of a SET and our side of it spend on a
// share after it is opened, payouts in batches: the spread, the claim of the
// batches, the word about them, and the telling of both topics. The metrics are
// processor time; ns/op is not to the point.
func BenchmarkAfterOpens(b *testing.B) {
	w := servers.World(b, 1)
	o := &opener{w: w, s: direct(b, w)}
	spreads, claims, hears, tells := newCost(b, w), newCost(b, w), newCost(b, w), newCost(b, w)
	for b.Loop() {
		b.StopTimer()
		o.open(b)
		b.StartTimer()
		spreads.of(b, func() {
			if n, err := o.s.Owed().Spread(b.Context(), 256); n != owedEnvelopes || err != nil {
				b.Fatalf("%d envelopes were spread, %v", n, err)
			}
		})
		var bs []envelope.PayoutBatch
		claims.of(b, func() { bs = claimBatches(b, o.s, 16) })
		hears.of(b, func() {
			for i := range bs {
				hearBatch(b, o.s, allPaid(&bs[i]))
			}
		})
		tells.of(b, func() {
			tell(b, o.s, envelope.TopicBook)
			tell(b, o.s, envelope.TopicEvent)
		})
	}
	spreads.report(b, "spread")
	claims.report(b, "claim")
	hears.report(b, "hear")
	tells.report(b, "tell")
}
