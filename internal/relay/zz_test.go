package relay_test
import ("testing";"time";"slices";"context";"fmt";"sync"
"hongbao/envelope";"hongbao/internal/relay";"hongbao/orderset")
type timed struct { *cashier; mu sync.Mutex; lat []time.Duration; opened map[envelope.ID]time.Time }
func (c *timed) Place(ctx context.Context, t envelope.Transfer) (envelope.TransferStatus, error) {
	now := time.Now()
	c.mu.Lock(); c.lat = append(c.lat, now.Sub(c.opened[envelope.ID(fmt.Sprintf("%s/%s", t.OrderNo, t.Payee))])); c.mu.Unlock()
	time.Sleep(2*time.Millisecond)
	return c.cashier.Place(ctx, t)
}
func TestZZ(t *testing.T) {
	for _, rate := range []int{500, 2000, 5000} {
	b := newBench(t)
	var all []envelope.Envelope
	n := rate*5/100
	for range n { all = append(all, b.Active(t, 0, envelope.Order{Total: 10000, Count: 100})) }
	c := &timed{cashier: b.cashier, opened: map[envelope.ID]time.Time{}}
	cfg := b.config(b.set(), b.set())
	cfg.Cashier = c
	r := func() *relay.Relay { r, err := relay.New(cfg); if err != nil { t.Fatal(err) }; return r }()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { r.Run(ctx) })
	tick := time.NewTicker(20*time.Millisecond)
	begin := time.Now()
	k := 0
	for range 250 { <-tick.C
		var reqs []orderset.OpenRequest
		for range rate/50 { reqs = append(reqs, orderset.OpenRequest{ID: all[k%n].ID, User: envelope.UserID(fmt.Sprint("u", k/n))}); k++ }
		if _, err := b.set().Open(ctx, reqs); err != nil { t.Fatal(err) }
		now := time.Now()
		c.mu.Lock(); for _, q := range reqs { c.opened[envelope.ID(fmt.Sprintf("%s/%s", q.ID, q.User))] = now }; c.mu.Unlock()
	}
	took := time.Since(begin)
	eventually(t, 60*time.Second, "done", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.lat) >= k })
	slices.Sort(c.lat)
	t.Log(rate, k, took, time.Since(begin), "p50", c.lat[len(c.lat)/2], "p99", c.lat[len(c.lat)*99/100], "max", c.lat[len(c.lat)-1])
	eventually(t, 60*time.Second, "idle", func() bool { return b.idle(t) })
	t.Log("idle", time.Since(begin))
	cancel(); wg.Wait()
	}
}
