package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"hongbao/envelope"
)

// script plays every part around a relay in tests of time. It is not a database:
// what a database must guarantee is tested on one.
type script struct {
	mu         sync.Mutex // guards the fields below
	outbox     int        // rows; spreading one makes everything not yet spread due
	unspread   []*movement
	deliveries []*parcel
	transfers  []*movement
	payouts    []*bundle
	byNo       map[string]*movement
	paused     map[string]string
	batches    []int          // words in each commit
	claims     map[string]int // by topic, of deliveries; claims of bills and of batches
	spreads    []time.Duration
	touched    chan struct{}

	// What the parts do; nil is what is expected of them.
	hear  func(words []envelope.TransferUpdate) error
	read  func(id envelope.ID) error
	query func(id envelope.ID) (envelope.ChargeStatus, error)
	end   func(id envelope.ID) error
	pay   func(p envelope.Payment) error
	place func(ctx context.Context, t envelope.Transfer) (envelope.TransferStatus, error)
	look  func(ctx context.Context, t envelope.Transfer) (envelope.TransferStatus, error)
	post  func(fs []envelope.Fact) error

	placeBatch func(ctx context.Context, b envelope.PayoutBatch) (envelope.PayoutBatchStatus, error)
	lookBatch  func(ctx context.Context, b envelope.PayoutBatch) (envelope.PayoutBatchStatus, error)
	hearBatch  func(status envelope.PayoutBatchStatus) error

	tell func(ctx context.Context, f envelope.Fact) error

	calls []call
}

// call is one call of the world outside, and when.
type call struct {
	what string
	no   string
	at   time.Duration // since start
}

type parcel struct {
	d      envelope.Delivery
	s      envelope.Statement
	state  string
	due    time.Time
	reason string
}

type movement struct {
	envelope.Transfer
}

type bundle struct {
	envelope.PayoutBatch
	ended bool
	due   time.Time
	heard []envelope.TransferStatus
	stuck string
}

func start() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) } // of every synctest bubble

func newScript() *script {
	return &script{paused: map[string]string{}, byNo: map[string]*movement{}, claims: map[string]int{}, touched: make(chan struct{}, 1)}
}

func (s *script) note(what, no string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, call{what, no, time.Since(start())})
}

// called lists when something was called. Not while a relay runs, but in [script.after].
func (s *script) called(what string) (at []time.Duration) {
	for _, c := range s.calls {
		if c.what == what {
			at = append(at, c.at)
		}
	}
	return at
}

// after does something between the steps of a relay that runs.
func (s *script) after(d time.Duration, do func()) {
	go func() {
		time.Sleep(d)
		s.mu.Lock()
		defer s.mu.Unlock()
		do()
	}()
}

func (s *script) relay(t testing.TB, change ...func(*Config)) *Relay {
	t.Helper()
	cfg := Config{
		Store: s, Orders: s, Cashier: s, Bookkeeper: s, Events: s, PayWithin: 15 * time.Minute, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Gone:    func(err error) bool { return errors.Is(err, errGone) },
		Backlog: func(context.Context) (map[string]Backlog, error) { return nil, nil },
	}
	for _, c := range change {
		c(&cfg)
	}
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var errGone = errors.New("410")

// run runs the relay for a time and waits until it has stopped.
func run(t *testing.T, r *Relay, d time.Duration) {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	r.Run(ctx)
}

func id(n int) envelope.ID {
	return envelope.Body(int64(n+1) << 22).In(7)
}

// owe adds a delivery that is due now.
func (s *script) owe(topic envelope.Topic, e envelope.Envelope, shares ...envelope.Share) *parcel {
	p := &parcel{
		d:     envelope.Delivery{ID: e.ID, Topic: topic, Wanted: 1, Since: time.Now()},
		s:     envelope.Statement{Snapshot: envelope.Snapshot{Envelope: e, Shares: shares}},
		state: "pending", due: time.Now(),
	}
	s.deliveries = append(s.deliveries, p)
	return p
}

func active(n int) envelope.Envelope {
	return envelope.Envelope{ID: id(n), State: envelope.Active, Kind: envelope.Lucky, Total: 100, Count: 10, CreatedAt: time.Now(), PaidAt: time.Now()}
}

func unpaid(n int) envelope.Envelope {
	return envelope.Envelope{ID: id(n), State: envelope.Unpaid, Kind: envelope.Lucky, Total: 100, Count: 10, CreatedAt: time.Now()}
}

// debt adds a payout that is due now.
func (s *script) debt(n int) *movement {
	m := &movement{envelope.Transfer{OrderNo: id(n), Seq: 1, Round: 1, Payee: "bob", Amount: 10, Charged: 100, State: envelope.Pending, CreatedAt: time.Now(), DueAt: time.Now()}}
	s.transfers, s.byNo[m.No()] = append(s.transfers, m), m
	return m
}

// batch adds a batch of that many payouts that is due now.
func (s *script) batch(n, payouts int) *bundle {
	b := &bundle{due: time.Now(), PayoutBatch: envelope.PayoutBatch{No: envelope.PayoutBatchNo(envelope.TransferNo(id(n), 1, 1)), CreatedAt: time.Now()}}
	for seq := range payouts {
		b.Payouts = append(b.Payouts, envelope.Transfer{OrderNo: id(n), Seq: seq + 1, Round: 1, Payee: "bob", Amount: 10, Charged: 1000, State: envelope.Pending, CreatedAt: time.Now()})
	}
	s.payouts = append(s.payouts, b)
	return b
}

func (s *script) Touched() <-chan struct{} { return s.touched }

func (s *script) Spread(context.Context, int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.outbox
	s.outbox = 0
	if n > 0 {
		s.spreads = append(s.spreads, time.Since(start()))
	}
	s.transfers, s.unspread = append(s.transfers, s.unspread...), nil
	return n, nil
}

func (s *script) ClaimDeliveries(_ context.Context, topic envelope.Topic, most int, lease time.Duration) (ds []envelope.Delivery, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.deliveries {
		if p.state == "parked" && !p.due.After(time.Now()) {
			p.state = "pending"
		}
		if p.d.Topic == topic && p.state == "pending" && !p.due.After(time.Now()) && len(ds) < most {
			p.due = time.Now().Add(lease)
			p.d.Attempts++
			s.claims[string(topic)]++
			ds = append(ds, p.d)
		}
	}
	return ds, nil
}

// claimed finds the parcel of a claim that is still good, and changes it.
func (s *script) claimed(d envelope.Delivery, change func(p *parcel)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.deliveries {
		if p.d.ID == d.ID && p.d.Topic == d.Topic && p.d.Attempts == d.Attempts {
			change(p)
		}
	}
}

func (s *script) Statements(_ context.Context, ds []envelope.Delivery) (all []envelope.Statement, err error) {
	for _, d := range ds {
		if s.read != nil {
			if err := s.read(d.ID); err != nil {
				return nil, err
			}
		}
		s.claimed(d, func(p *parcel) {
			st := p.s
			st.Now = time.Now()
			all = append(all, st)
		})
	}
	return all, nil
}

func (s *script) FinishDeliveries(_ context.Context, ds []envelope.Delivery) error {
	for _, d := range ds {
		s.claimed(d, func(p *parcel) { p.state, p.d = "idle", d; p.d.Attempts = 0 })
	}
	return nil
}

func (s *script) PutOffDelivery(_ context.Context, d envelope.Delivery, wait time.Duration, reason string) error {
	s.claimed(d, func(p *parcel) { p.d.At, p.due, p.reason = d.At, time.Now().Add(wait), reason })
	return nil
}

func (s *script) ParkDelivery(_ context.Context, d envelope.Delivery, wait time.Duration, reason string) error {
	s.claimed(d, func(p *parcel) {
		p.d.At = d.At
		if p.state, p.reason, p.due = "parked", reason, time.Now().Add(wait); wait == 0 {
			p.due = time.Now().AddDate(100, 0, 0)
		}
	})
	return nil
}

func (s *script) ClaimTransfers(_ context.Context, most int, lease time.Duration) (ts []envelope.Transfer, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claims["bills"]++
	for _, m := range s.transfers {
		if (m.State == envelope.Pending || m.State == envelope.Stuck) && !m.DueAt.After(time.Now()) && len(ts) < most {
			m.Attempts++
			ts = append(ts, m.Transfer)
			m.Placed, m.DueAt = true, time.Now().Add(lease)
		}
	}
	return ts, nil
}

func (s *script) RecordTransfers(_ context.Context, words []envelope.TransferUpdate) ([]error, error) {
	if s.hear != nil {
		if err := s.hear(words); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches = append(s.batches, len(words))
	errs := make([]error, len(words))
	for i, w := range words {
		m := s.byNo[w.No]
		if m == nil {
			errs[i] = envelope.ErrNotFound
			continue
		}
		m.Transfer, errs[i] = m.Apply(w.TransferStatus)
		m.DueAt = time.Now().Add(w.Wait)
	}
	return errs, nil
}

func (s *script) ClaimBatches(_ context.Context, most int, lease time.Duration) (bs []envelope.PayoutBatch, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claims["batches"]++
	for _, b := range s.payouts {
		if !b.ended && !b.due.After(time.Now()) && len(bs) < most {
			b.Attempts++
			bs = append(bs, b.PayoutBatch)
			b.Placed, b.due = true, time.Now().Add(lease)
		}
	}
	return bs, nil
}

func (s *script) RecordBatch(_ context.Context, status envelope.PayoutBatchStatus) (err error) {
	if s.hearBatch != nil {
		if err := s.hearBatch(status); err != nil {
			return err
		}
	}
	err = envelope.ErrNotFound
	s.bundle(status.No, func(b *bundle) {
		if status.Progress == envelope.ProgressUnknown {
			b.due, err = time.Now(), nil
			return
		}
		var heard []envelope.TransferStatus
		if heard, err = b.Statuses(&status); err == nil && !b.ended {
			b.ended, b.heard = true, heard
		}
	})
	return err
}

func (s *script) PutOffBatch(_ context.Context, word envelope.PayoutBatchUpdate) error {
	s.bundle(word.No, func(b *bundle) {
		b.due = time.Now().Add(word.Wait)
		if word.Progress != envelope.ProgressUnknown {
			b.stuck = word.Code
		}
		if word.Progress == envelope.ProgressRejected && word.Attempt == b.Attempts {
			b.Placed = false
		}
	})
	return nil
}

func (s *script) Transfer(_ context.Context, id envelope.ID, seq int) (envelope.Transfer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.transfers {
		if m.OrderNo == id && m.Seq == seq {
			return m.Transfer, nil
		}
	}
	return envelope.Transfer{}, envelope.ErrNotFound
}

func (s *script) bundle(no string, change func(b *bundle)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.payouts {
		if b.No == no {
			change(b)
		}
	}
}

func (s *script) Paused(context.Context) (map[string]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	paused := map[string]string{}
	for topic, why := range s.paused {
		paused[topic] = why
	}
	return paused, nil
}

func (s *script) Pause(_ context.Context, topic, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paused[topic] = reason
	return nil
}

func (s *script) become(id envelope.ID, state envelope.State) (e envelope.Envelope, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.deliveries {
		if p.d.ID == id {
			p.s.Envelope.State = state
			return p.s.Envelope, nil
		}
	}
	return e, fmt.Errorf("envelope %s: %w", id, envelope.ErrNotFound)
}

func (s *script) Pay(_ context.Context, p envelope.Payment) (envelope.Envelope, error) {
	s.note("pay", string(p.OrderNo))
	if s.pay != nil {
		if err := s.pay(p); err != nil {
			return envelope.Envelope{}, err
		}
	}
	return s.become(p.OrderNo, envelope.Active)
}

func (s *script) CloseUnpaid(_ context.Context, id envelope.ID) (envelope.Envelope, error) {
	s.note("close", string(id))
	return s.become(id, envelope.Closed)
}

func (s *script) QueryCharge(_ context.Context, id envelope.ID) (envelope.ChargeStatus, error) {
	s.note("query charge", string(id))
	if s.query == nil {
		return envelope.ChargeStatus{State: envelope.ChargeUnpaid}, nil
	}
	return s.query(id)
}

func (s *script) CloseCharge(_ context.Context, id envelope.ID) error {
	s.note("close charge", string(id))
	if s.end == nil {
		return nil
	}
	return s.end(id)
}

func (s *script) Place(ctx context.Context, t envelope.Transfer) (envelope.TransferStatus, error) {
	s.note("place", t.No())
	if s.place == nil {
		return envelope.TransferStatus{No: t.No(), Progress: envelope.ProgressDone, Amount: t.Amount}, nil
	}
	return s.place(ctx, t)
}

func (s *script) Query(ctx context.Context, t envelope.Transfer) (envelope.TransferStatus, error) {
	s.note("query", t.No())
	if s.look == nil {
		return envelope.TransferStatus{No: t.No(), Progress: envelope.ProgressAbsent}, nil
	}
	return s.look(ctx, t)
}

func (s *script) PlaceBatch(ctx context.Context, b envelope.PayoutBatch) (envelope.PayoutBatchStatus, error) {
	s.note("place batch", b.No)
	if s.placeBatch == nil {
		return paid(b), nil
	}
	return s.placeBatch(ctx, b)
}

func (s *script) QueryBatch(ctx context.Context, b envelope.PayoutBatch) (envelope.PayoutBatchStatus, error) {
	s.note("query batch", b.No)
	if s.lookBatch == nil {
		return envelope.PayoutBatchStatus{No: b.No, Progress: envelope.ProgressAbsent}, nil
	}
	return s.lookBatch(ctx, b)
}

// paid is a batch whose payouts were all carried out.
func paid(b envelope.PayoutBatch) envelope.PayoutBatchStatus {
	return envelope.PayoutBatchStatus{No: b.No, Progress: envelope.ProgressDone, ProviderNo: "b1", Paid: len(b.Payouts), PaidAmount: b.Total()}
}

func (s *script) Post(_ context.Context, fs []envelope.Fact) error {
	s.note("post", fmt.Sprint(len(fs)))
	if s.post == nil {
		return nil
	}
	return s.post(fs)
}

func (s *script) Notify(ctx context.Context, f envelope.Fact) error {
	s.note("tell", string(f.Envelope.ID)+" "+string(f.Kind))
	if s.tell == nil {
		return nil
	}
	return s.tell(ctx, f)
}
