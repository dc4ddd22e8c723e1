package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hongbao/envelope"
	"hongbao/orderset"
	"hongbao/queue"
)

// openMode is how opens reach the database. Only group is for serving; the
// others are what it is measured against.
type openMode string

const (
	modeGroup openMode = "group" // lanes: a batch of opens in one transaction
	modeFIFO  openMode = "fifo"  // serial per envelope, one transaction per open
	modePlain openMode = "plain" // one transaction per open, the row lock alone
)

const (
	// recordsPerSet is how many envelopes a SET remembers: some 100 shares each
	// make about 80 MB.
	recordsPerSet = 8192
	// groupLanes serve the ten table digits of a SET. Two beat one a digit:
	// batches are five times as large, and one gathers while the other commits.
	groupLanes = 2
	// groupBatchMax lets a backlog shrink by the thousand: in a storm a batch costs
	// hardly more than its round trips.
	groupBatchMax = 1024
	// fifoLanes approximate one queue an envelope in mode fifo.
	fifoLanes = 64

	drainRetryAfter = time.Second
)

// ask is what waits in a lane for an envelope: an opener, or the end of its
// life, which is serial with opens because it queues with them (I6).
type ask struct {
	user   envelope.UserID
	expire bool
}

// answer is an opening, or the header of an envelope that was to expire.
type answer struct {
	opening  envelope.Opening
	envelope envelope.Envelope
}

type lane = queue.Lane[envelope.ID, ask, answer]

// counter is where openers of one SET queue: memory, shedder, gate, lanes. It
// is a bulkhead: nothing in it is shared with another SET.
type counter struct {
	set   *orderset.Set
	shed  *queue.Shedder
	gate  *queue.Gate
	lanes []*lane // empty in mode plain
	pick  func(envelope.ID) int
}

// counters implement envelope.Opener over all SETs.
type counters struct {
	router *orderset.Router
	bySet  map[envelope.SetNumber]*counter
	stores []*queue.Memcached
	seal   queue.Seal // of what is kept in memcached
}

// leasePurpose keeps the seals of leases apart from those of other data.
const leasePurpose = "lease"

func newCounters(router *orderset.Router, specs []orderset.SetSpec, mode openMode, owner string, draw envelope.DrawKey, reg prometheus.Registerer) (*counters, error) {
	seal := func(key string, value []byte) [sha256.Size]byte {
		return draw.Seal(leasePurpose, append([]byte(key+"\x00"), value...))
	}
	cs := &counters{router: router, bySet: map[envelope.SetNumber]*counter{}, seal: seal}
	for i, set := range router.Sets() {
		store, err := cs.leaseStore(specs[i].Memcached)
		if err != nil {
			return nil, fmt.Errorf("SET %v: %w", set.Number(), err)
		}
		c := &counter{set: set}
		if err := c.build(mode, store, owner); err != nil {
			return nil, fmt.Errorf("SET %v: %w", set.Number(), err)
		}
		labelled := prometheus.WrapRegistererWith(prometheus.Labels{"set": set.Number().String()}, reg)
		if err := c.register(labelled); err != nil {
			return nil, fmt.Errorf("SET %v: metrics: %w", set.Number(), err)
		}
		cs.bySet[set.Number()] = c
	}
	return cs, nil
}

// localLeasesMax is for a SET without memcached, which has one order server.
const localLeasesMax = 1 << 16

func (cs *counters) leaseStore(servers []string) (queue.Store, error) {
	if len(servers) == 0 {
		return queue.NewLocalStore(localLeasesMax)
	}
	store, err := queue.NewMemcached(queue.MemcachedConfig{Servers: servers})
	if err != nil {
		return nil, err
	}
	cs.stores = append(cs.stores, store)
	return queue.Sealed(store, cs.seal), nil
}

func (c *counter) build(mode openMode, store queue.Store, owner string) (err error) {
	if c.shed, err = queue.NewShedder(queue.ShedConfig{Age: c.age}); err != nil {
		return err
	}
	if c.gate, err = queue.NewGate(queue.GateConfig{Store: store, Holder: owner}); err != nil {
		return err
	}
	n, cfg := 0, queue.LaneConfig{BatchMax: groupBatchMax}
	switch mode {
	case modeGroup:
		n, c.pick = groupLanes, func(id envelope.ID) int { return id.TableDigit() % groupLanes }
	case modeFIFO:
		seed := maphash.MakeSeed()
		n, c.pick = fifoLanes, func(id envelope.ID) int { return int(maphash.String(seed, string(id)) % fifoLanes) }
		cfg.BatchMax = 1
	}
	for range n {
		l, err := queue.NewLane(cfg, c.serve)
		if err != nil {
			return err
		}
		c.lanes = append(c.lanes, l)
	}
	return nil
}

func (c *counter) register(reg prometheus.Registerer) error {
	err := errors.Join(c.shed.Register(reg), c.gate.Register(reg), c.set.Register(reg))
	for i, l := range c.lanes {
		err = errors.Join(err, l.Register(prometheus.WrapRegistererWith(prometheus.Labels{"lane": fmt.Sprint(i)}, reg)))
	}
	return err
}

// age is how long the oldest opener of any lane has waited.
func (c *counter) age() (oldest time.Duration) {
	for _, l := range c.lanes {
		oldest = max(oldest, l.Age())
	}
	return oldest
}

// Open takes a share: from memory when the answer is certain, else through the
// shedder, the gate and the lane. Errors of the queue become the domain's.
func (cs *counters) Open(ctx context.Context, id envelope.ID, user envelope.UserID) (envelope.Opening, error) {
	if _, err := cs.router.HotSet(id); err != nil {
		return envelope.Opening{}, err
	}
	c := cs.bySet[id.Set()]
	if opening, certain := c.set.Known(id, user); certain {
		return opening, nil
	}
	ticket, err := c.shed.Admit()
	if err != nil {
		return envelope.Opening{}, domainError(err)
	}
	opening, err := c.enter(ctx, id, user)
	ticket.Done(ending(err))
	if err != nil {
		return envelope.Opening{}, domainError(err)
	}
	return opening, nil
}

func (c *counter) enter(ctx context.Context, id envelope.ID, user envelope.UserID) (envelope.Opening, error) {
	permit, err := c.gate.Enter(ctx, string(id))
	if err != nil {
		return envelope.Opening{}, err
	}
	defer permit.Leave()
	if len(c.lanes) > 0 {
		a, err := c.lanes[c.pick(id)].Do(ctx, id, ask{user: user})
		return a.opening, err
	}
	openings, err := c.open(ctx, []orderset.OpenRequest{{ID: id, User: user}})
	if err != nil {
		return envelope.Opening{}, err
	}
	return openings[0], nil
}

// Number of the SET.
func (c *counter) Number() envelope.SetNumber { return c.set.Number() }

// DueExpiries are the envelopes whose life is over.
func (c *counter) DueExpiries(ctx context.Context, max int) ([]envelope.ID, error) {
	return c.set.DueExpiries(ctx, max)
}

// Expire ends an envelope's life in its turn.
func (c *counter) Expire(ctx context.Context, id envelope.ID) (envelope.Envelope, error) {
	if len(c.lanes) == 0 {
		return c.set.Expire(ctx, id)
	}
	a, err := c.lanes[c.pick(id)].Do(ctx, id, ask{expire: true})
	return a.envelope, domainError(err)
}

// open is one transaction, watched by the shedder.
func (c *counter) open(ctx context.Context, reqs []orderset.OpenRequest) ([]envelope.Opening, error) {
	start := time.Now()
	openings, err := c.set.Open(ctx, reqs)
	c.shed.Observe(time.Since(start), illness(err))
	return openings, err
}

// serve hands a lane's batch to the SET: its opens in one transaction, then the
// expiries, one each. Only a fault is worth bisecting: a SET that is down or a
// commit that is unknown is so for the whole batch.
func (c *counter) serve(ctx context.Context, batch []queue.Item[envelope.ID, ask]) ([]queue.Answer[answer], error) {
	answers := make([]queue.Answer[answer], len(batch))
	reqs := make([]orderset.OpenRequest, 0, len(batch))
	at := make([]int, 0, len(batch))
	for i, item := range batch {
		if !item.Req.expire {
			reqs, at = append(reqs, orderset.OpenRequest{ID: item.Key, User: item.Req.user}), append(at, i)
		}
	}
	if len(reqs) > 0 {
		openings, err := c.open(ctx, reqs)
		if err != nil && !forWholeBatch(err) {
			return nil, err
		}
		for j, i := range at {
			if answers[i].Err = err; err == nil {
				answers[i].Res.opening = openings[j]
			}
		}
	}
	for i, item := range batch {
		if item.Req.expire {
			answers[i].Res.envelope, answers[i].Err = c.set.Expire(ctx, item.Key)
		}
	}
	return answers, nil
}

func forWholeBatch(err error) bool {
	_, busy := errors.AsType[*envelope.BusyError](err)
	return busy || errors.Is(err, envelope.ErrUnknownOutcome)
}

// illness keeps from the shedder what says nothing about the database.
func illness(err error) error {
	busy, ok := errors.AsType[*envelope.BusyError](err)
	if ok && busy.Reason == orderset.ReasonUnavailable || errors.Is(err, envelope.ErrUnknownOutcome) {
		return err
	}
	return nil
}

// ending tells the adaptive limit whether a request's duration says something
// about the database.
func ending(err error) queue.Ending {
	if err == nil {
		return queue.Served
	}
	return queue.Dropped
}

// domainError turns what the queue says into what the domain says.
func domainError(err error) error {
	if full, ok := errors.AsType[*queue.BusyError](err); ok {
		return &envelope.BusyError{Reason: full.Reason, RetryAfter: full.RetryAfter}
	}
	switch {
	case errors.Is(err, queue.ErrClosed):
		return &envelope.BusyError{Reason: queue.ReasonDraining, RetryAfter: drainRetryAfter}
	case errors.Is(err, queue.ErrUnknown):
		return fmt.Errorf("%w: %w", envelope.ErrUnknownOutcome, err)
	}
	return err
}

// Close answers everyone who was admitted, or ends when ctx does.
func (cs *counters) Close(ctx context.Context) error {
	var errs []error
	for _, c := range cs.bySet {
		for _, l := range c.lanes {
			errs = append(errs, l.Close(ctx))
		}
	}
	for _, store := range cs.stores {
		errs = append(errs, store.Close())
	}
	return errors.Join(errs...)
}
