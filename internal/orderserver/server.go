package orderserver

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hongbao/envelope"
	"hongbao/orderset"
	"hongbao/queue"
)

// Server is the order server of one SET: memory, shedder, gate, lanes. It is a
// bulkhead: nothing in it is shared with another SET. It is safe for concurrent use.
type Server struct {
	set    *orderset.Set
	shed   *queue.Shedder
	gate   *queue.Gate
	leases closer // of the gate; nil: they are kept in this process
	lanes  []*lane
	pick   func(envelope.ID) int // the lane of an envelope; nil in mode plain, which has none

	calls calls // that do not go through a lane

	stop    context.CancelFunc // of what Start began
	probing sync.WaitGroup
}

type lane = queue.Lane[envelope.ID, operation, envelope.Opening]

type closer interface{ Close() error }

// New makes the order server of a SET and connects to nothing yet. Close ends it.
func New(cfg Config) (*Server, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Server{set: cfg.Set, stop: func() {}}
	store, err := s.leaseStore(&cfg)
	if err != nil {
		return nil, err
	}
	if s.shed, err = queue.NewShedder(queue.ShedConfig{Age: s.age, Logger: cfg.Log}); err != nil {
		return nil, err
	}
	if s.gate, err = queue.NewGate(queue.GateConfig{Store: store, Holder: cfg.Owner, Logger: cfg.Log}); err != nil {
		return nil, err
	}
	return s, s.addLanes(&cfg)
}

// localLeasesMax is for a SET without memcached, which has one order server.
const localLeasesMax = 1 << 16

// leasePurpose keeps the seals of leases apart from those of other data.
const leasePurpose = "lease"

func (s *Server) leaseStore(cfg *Config) (queue.Store, error) {
	if len(cfg.Memcached) == 0 {
		return queue.NewLocalStore(localLeasesMax)
	}
	store, err := queue.NewMemcached(queue.MemcachedConfig{Servers: cfg.Memcached})
	if err != nil {
		return nil, err
	}
	s.leases = store
	key := cfg.DrawKey
	return queue.Sealed(store, func(name string, value []byte) [sha256.Size]byte {
		return key.Seal(leasePurpose, append([]byte(name+"\x00"), value...))
	}), nil
}

func (s *Server) addLanes(cfg *Config) error {
	n, lanes := 0, queue.LaneConfig{BatchMax: groupBatchMax, Logger: cfg.Log}
	switch cfg.Mode {
	case ModeGroup:
		n, s.pick = GroupLanes, func(id envelope.ID) int { return id.TableDigit() % GroupLanes }
	case ModeFIFO:
		seed := maphash.MakeSeed()
		n, s.pick = fifoLanes, func(id envelope.ID) int { return int(maphash.String(seed, string(id)) % fifoLanes) }
		lanes.BatchMax = 1
	}
	for range n {
		l, err := queue.NewLane(lanes, s.serve)
		if err != nil {
			return err
		}
		s.lanes = append(s.lanes, l)
	}
	return nil
}

// Register adds the metrics of the server and of its SET to reg, whose labels name
// the SET.
func (s *Server) Register(reg prometheus.Registerer) error {
	err := errors.Join(s.shed.Register(reg), s.gate.Register(reg), s.set.Register(reg))
	for i, l := range s.lanes {
		err = errors.Join(err, l.Register(prometheus.WrapRegistererWith(prometheus.Labels{"lane": fmt.Sprint(i)}, reg)))
	}
	return err
}

// age is how long the oldest opener of any lane has waited.
func (s *Server) age() (oldest time.Duration) {
	for _, l := range s.lanes {
		oldest = max(oldest, l.Age())
	}
	return oldest
}

// Number of the SET.
func (s *Server) Number() envelope.SetNumber { return s.set.Number() }

// Refuse starts or ends answering opens that need the database with 503.
func (s *Server) Refuse(on bool) { s.shed.Drain(on) }

// Refusing is why opens that need the database are refused, or "".
func (s *Server) Refusing() string { return string(s.shed.Stats().Refusing) }

// Start begins what the server does of its own accord: to ask a database that is
// down whether it is back.
func (s *Server) Start() {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.probing.Go(func() { s.keepProbing(ctx) })
}

// Close answers what was admitted, refuses what comes after, and stops; when ctx
// ends first, what is still in the lanes is answered busy or unknown. The SET stays
// open. It may be called again.
func (s *Server) Close(ctx context.Context) error {
	s.stop()
	s.probing.Wait()
	err := errors.Join(s.closeLanes(ctx), s.calls.close(ctx))
	if s.leases != nil {
		err = errors.Join(err, s.leases.Close())
	}
	return err
}
