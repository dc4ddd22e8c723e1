package webhook

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"hongbao/envelope"
)

// BodyBytesMax bounds an event. 500 shares of the longest user IDs, each byte of
// them escaped, stay below it.
const BodyBytesMax = 128 << 10

// milliseconds is how every time leaves this service.
const milliseconds = "2006-01-02T15:04:05.000Z07:00"

// message is an event ready to be signed.
type message struct {
	id   string // without a full stop: the signature delimits with it
	kind envelope.FactKind
	body []byte
}

// event is the body.
type event struct {
	Type      envelope.FactKind `json:"type"`
	Timestamp string            `json:"timestamp"` // when it happened
	Data      any               `json:"data"`
}

type activeData struct {
	EnvelopeID  envelope.ID      `json:"envelope_id"`
	GroupID     envelope.GroupID `json:"group_id"`
	SenderID    envelope.UserID  `json:"sender_id"`
	Kind        envelope.Kind    `json:"kind"`
	Count       int              `json:"count"`
	TotalFen    int64            `json:"total_fen"`
	Greeting    string           `json:"greeting"`
	RecipientID envelope.UserID  `json:"recipient_id,omitzero"`
	ExpiresAt   string           `json:"expires_at"`
	Ticket      string           `json:"ticket"`
}

type openedData struct {
	EnvelopeID  envelope.ID      `json:"envelope_id"`
	GroupID     envelope.GroupID `json:"group_id"`
	Count       int              `json:"count"`
	OpenedCount int              `json:"opened_count"`
	Shares      []openedShare    `json:"shares"`
}

type share struct {
	UserID    envelope.UserID `json:"user_id"`
	AmountFen int64           `json:"amount_fen"`
	Seq       int             `json:"seq"`
}

type openedShare struct {
	share
	OpenedAt string `json:"opened_at"`
}

type finishedData struct {
	EnvelopeID  envelope.ID      `json:"envelope_id"`
	GroupID     envelope.GroupID `json:"group_id"`
	State       envelope.State   `json:"state"` // empty or expired
	Count       int              `json:"count"`
	OpenedCount int              `json:"opened_count"`
	OpenedFen   int64            `json:"opened_fen"`
	BestLuck    *share           `json:"best_luck,omitzero"`
	FinishedAt  string           `json:"finished_at"`
}

type refundedData struct {
	EnvelopeID  envelope.ID      `json:"envelope_id"`
	GroupID     envelope.GroupID `json:"group_id"`
	SenderID    envelope.UserID  `json:"sender_id"`
	RefundedFen int64            `json:"refunded_fen"`
	RefundedAt  string           `json:"refunded_at"`
}

// write makes the message of a fact. The header in a fact may be newer than what
// happened, so only what does not change afterwards goes into the body.
func write(f *envelope.Fact, tickets *envelope.Tickets) (message, error) {
	var id string
	var e event
	var err error
	switch f.Kind {
	case envelope.FactActive:
		id, e = active(&f.Envelope, tickets)
	case envelope.FactOpened:
		id, e, err = opened(f)
	case envelope.FactFinished:
		id, e = finished(f)
	case envelope.FactRefunded:
		id, e = refunded(f)
	default:
		err = errors.New("no event for this kind of fact")
	}
	if err != nil {
		return message{}, fmt.Errorf("%s %q: %w", f.Envelope.ID, f.Kind, err)
	}
	e.Type = f.Kind
	m := message{id: string(f.Envelope.ID) + "-" + id, kind: f.Kind}
	if m.body, err = json.Marshal(e); err != nil {
		return message{}, fmt.Errorf("%s: %w", m.id, err)
	}
	if len(m.body) > BodyBytesMax {
		return message{}, fmt.Errorf("%s: want at most %d bytes, have %d", m.id, BodyBytesMax, len(m.body))
	}
	return m, nil
}

func active(e *envelope.Envelope, tickets *envelope.Tickets) (string, event) {
	return "active", event{Timestamp: when(e.PaidAt), Data: activeData{
		EnvelopeID: e.ID, GroupID: e.Group, SenderID: e.Sender, RecipientID: e.Recipient,
		Kind: e.Kind, Count: e.Count, TotalFen: int64(e.Total), Greeting: e.Greeting,
		ExpiresAt: when(e.ExpiresAt), Ticket: tickets.Mint(e.ID),
	}}
}

// opened names the first and the last position: what is told after an outage may
// begin where an earlier event began and end later.
func opened(f *envelope.Fact) (string, event, error) {
	if len(f.Shares) == 0 {
		return "", event{}, errors.New("no share in it")
	}
	shares := make([]openedShare, len(f.Shares))
	for i, s := range f.Shares {
		shares[i] = openedShare{share: shareOf(s), OpenedAt: when(s.OpenedAt)}
	}
	last := f.Shares[len(f.Shares)-1]
	id := fmt.Sprintf("opened-%d-%d", f.Shares[0].Seq, last.Seq)
	return id, event{Timestamp: when(last.OpenedAt), Data: openedData{
		EnvelopeID: f.Envelope.ID, GroupID: f.Envelope.Group, Count: f.Envelope.Count,
		OpenedCount: last.Seq, // positions have no gaps (I4)
		Shares:      shares,
	}}, nil
}

func finished(f *envelope.Fact) (string, event) {
	e := &f.Envelope
	data := finishedData{
		EnvelopeID: e.ID, GroupID: e.Group, State: envelope.Empty, Count: e.Count,
		OpenedCount: e.OpenedCount, OpenedFen: int64(e.Opened), FinishedAt: when(e.FinishedAt),
	}
	if e.SharesLeft() > 0 { // the row may say settled by now
		data.State = envelope.Expired
	}
	for _, s := range f.Shares {
		if s.Seq == f.BestLuck {
			best := shareOf(s)
			data.BestLuck = &best
		}
	}
	return "finished", event{Timestamp: data.FinishedAt, Data: data}
}

func refunded(f *envelope.Fact) (string, event) {
	at := when(f.Refund.PostedAt)
	return "refunded", event{Timestamp: at, Data: refundedData{
		EnvelopeID: f.Envelope.ID, GroupID: f.Envelope.Group, SenderID: f.Envelope.Sender,
		RefundedFen: int64(f.Refund.Amount), RefundedAt: at,
	}}
}

func shareOf(s envelope.Share) share {
	return share{UserID: s.User, AmountFen: int64(s.Amount), Seq: s.Seq}
}

func when(t time.Time) string { return t.UTC().Format(milliseconds) }
