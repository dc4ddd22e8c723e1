package webhook

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"hongbao/envelope"
)

// BodyBytesMax bounds an event. 500 shares of the longest user IDs, each byte of
// them escaped, stay below it.
const BodyBytesMax = 128 << 10

// What most bodies stay below: room for one is made once. A longer one grows.
const (
	bodyBytesUsual  = 512
	shareBytesUsual = 128
)

// message is an event ready to be signed.
type message struct {
	id   string // without a full stop: the signature delimits with it
	kind envelope.FactKind
	body []byte
}

// write makes the message of a fact. The header in a fact may be newer than what
// happened, so only what does not change afterwards goes into the body.
func write(f *envelope.Fact, tickets *envelope.Tickets) (message, error) {
	m := message{id: string(f.Envelope.ID) + "-", kind: f.Kind}
	room := bodyBytesUsual
	if f.Kind == envelope.FactOpened {
		room += shareBytesUsual * len(f.Shares)
	}
	o := object{json: make([]byte, 0, room)}
	o.begin('{')
	o.text("type", string(f.Kind))
	switch f.Kind {
	case envelope.FactActive:
		m.id += "active"
		o.active(&f.Envelope, tickets)
	case envelope.FactOpened:
		if len(f.Shares) == 0 {
			return message{}, fmt.Errorf("%s %q: no share in it", f.Envelope.ID, f.Kind)
		}
		// Both ends: what is sent after an outage may begin where an earlier event
		// began and end later.
		m.id += "opened-" + strconv.Itoa(f.Shares[0].Seq) + "-" + strconv.Itoa(f.Shares[len(f.Shares)-1].Seq)
		o.opened(&f.Envelope, f.Shares)
	case envelope.FactFinished:
		m.id += "finished"
		o.finished(f)
	case envelope.FactRefunded:
		m.id += "refunded"
		o.refunded(f)
	default:
		return message{}, fmt.Errorf("%s %q: no event for this kind of fact", f.Envelope.ID, f.Kind)
	}
	o.end('}') // of data
	o.end('}')
	if o.err != nil {
		return message{}, fmt.Errorf("%s: %w", m.id, o.err)
	}
	if len(o.json) > BodyBytesMax {
		return message{}, fmt.Errorf("%s: want at most %d bytes, have %d", m.id, BodyBytesMax, len(o.json))
	}
	m.body = o.json
	return m, nil
}

// data says when it happened, begins the data and names the envelope.
func (o *object) data(at time.Time, e *envelope.Envelope) {
	o.time("timestamp", at)
	o.name("data")
	o.begin('{')
	o.text("envelope_id", string(e.ID))
	o.text("group_id", string(e.Group))
}

func (o *object) active(e *envelope.Envelope, tickets *envelope.Tickets) {
	o.data(e.PaidAt, e)
	o.text("sender_id", string(e.Sender))
	o.text("kind", string(e.Kind))
	o.number("count", int64(e.Count))
	o.number("total_fen", int64(e.Total))
	o.text("greeting", e.Greeting)
	if e.Recipient != "" {
		o.text("recipient_id", string(e.Recipient))
	}
	o.time("expires_at", e.ExpiresAt)
	o.text("ticket", tickets.Mint(e.ID))
}

func (o *object) opened(e *envelope.Envelope, shares []envelope.Share) {
	last := &shares[len(shares)-1]
	o.data(last.OpenedAt, e)
	o.number("count", int64(e.Count))
	o.number("opened_count", int64(last.Seq)) // positions have no gaps (I4)
	o.name("shares")
	o.begin('[')
	for i := range shares {
		o.begin('{')
		o.share(&shares[i])
		o.time("opened_at", shares[i].OpenedAt)
		o.end('}')
	}
	o.end(']')
}

func (o *object) finished(f *envelope.Fact) {
	e := &f.Envelope
	o.data(e.FinishedAt, e)
	state := envelope.Empty
	if e.SharesLeft() > 0 { // the row may say settled by now
		state = envelope.Expired
	}
	o.text("state", string(state))
	o.number("count", int64(e.Count))
	o.number("opened_count", int64(e.OpenedCount))
	o.number("opened_fen", int64(e.Opened))
	best := slices.IndexFunc(f.Shares, func(s envelope.Share) bool { return s.Seq == f.BestLuck })
	if best >= 0 {
		o.name("best_luck")
		o.begin('{')
		o.share(&f.Shares[best])
		o.end('}')
	}
	o.time("finished_at", e.FinishedAt)
}

func (o *object) refunded(f *envelope.Fact) {
	o.data(f.Refund.PostedAt, &f.Envelope)
	o.text("sender_id", string(f.Envelope.Sender))
	o.number("refunded_fen", int64(f.Refund.Amount))
	o.time("refunded_at", f.Refund.PostedAt)
}

func (o *object) share(s *envelope.Share) {
	o.text("user_id", string(s.User))
	o.number("amount_fen", int64(s.Amount))
	o.number("seq", int64(s.Seq))
}
