package receiver

import (
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// event is one that verified.
type event struct {
	ID         string         `json:"id"`
	ReceivedAt time.Time      `json:"received_at"`
	Times      int            `json:"times"` // it came, repeats included
	Body       jsontext.Value `json:"event"`
	Content    content        `json:"-"`
}

// content is what the page reads in a body.
type content struct {
	Type string `json:"type"`
	Data struct {
		EnvelopeID  string  `json:"envelope_id"`
		GroupID     string  `json:"group_id"`
		SenderID    string  `json:"sender_id"`
		Kind        string  `json:"kind"`
		State       string  `json:"state"`
		Greeting    string  `json:"greeting"`
		Count       int     `json:"count"`
		OpenedCount int     `json:"opened_count"`
		TotalFen    int64   `json:"total_fen"`
		OpenedFen   int64   `json:"opened_fen"`
		RefundedFen int64   `json:"refunded_fen"`
		Shares      []share `json:"shares"`
		BestLuck    share   `json:"best_luck"`
	} `json:"data"`
}

type share struct {
	UserID    string `json:"user_id"`
	AmountFen int64  `json:"amount_fen"`
	Seq       int    `json:"seq"`
}

// inbox is the last keptMax events. The zero inbox is empty.
type inbox struct {
	mu     sync.Mutex
	counts counts
	kept   [keptMax]event    // number n, from 0 on, is in n % keptMax
	byID   map[string]*event // those in kept
	order  orderly
}

type counts struct {
	Received int `json:"received"` // each event once
	Repeats  int `json:"repeats"`
	Refused  int `json:"refused"`

	Seen       facts `json:"told"`       // to this process, each fact once
	Disordered int   `json:"disordered"` // events that came before what they follow
	Forgotten  int   `json:"forgotten"`  // envelopes whose order is no longer watched
}

// view is the inbox at one moment.
type view struct {
	counts
	Events []event `json:"events"` // the newest first
}

func (b *inbox) keep(e event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if known := b.byID[e.ID]; known != nil {
		known.Times++
		b.counts.Repeats++
		return
	}
	if b.byID == nil {
		b.byID = make(map[string]*event, keptMax)
	}
	slot := &b.kept[b.counts.Received%keptMax]
	delete(b.byID, slot.ID)
	*slot = e
	b.byID[e.ID] = slot
	b.counts.Received++
	b.order.take(&e.Content)
}

func (b *inbox) miss() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Refused++
}

// look returns at most n events.
func (b *inbox) look(n int) view {
	b.mu.Lock()
	defer b.mu.Unlock()
	newest := make([]event, min(n, keptMax, b.counts.Received))
	for i := range newest {
		newest[i] = b.kept[(b.counts.Received-1-i)%keptMax]
	}
	c := b.counts
	c.Seen, c.Disordered, c.Forgotten = b.order.seen, b.order.disordered, b.order.forgotten
	return view{counts: c, Events: newest}
}
