package relay

import (
	"context"
	"time"

	"hongbao/envelope"
)

// Store is one SET's database. A claim takes what is due, pushes it into the
// future by the lease and counts an attempt; whatever is said about a claim
// afterwards changes nothing once another claim has been made.
type Store interface {
	// Touched signals that this process has committed outbox rows. It is a hint.
	Touched() <-chan struct{}
	// Spread turns up to max outbox rows into transfers and deliveries, in one
	// transaction, and counts the envelopes.
	Spread(ctx context.Context, max int) (envelopes int, err error)

	ClaimDeliveries(ctx context.Context, topic envelope.Topic, max int, lease time.Duration) ([]envelope.Delivery, error)
	// Statements answers in the order of what it is asked.
	Statements(ctx context.Context, ds []envelope.Delivery) ([]envelope.Statement, error)
	// FinishDeliveries records the cursors of ds. What happened since the claim
	// keeps a delivery pending.
	FinishDeliveries(ctx context.Context, ds []envelope.Delivery) error
	// PutOffDelivery makes a delivery due again after wait, its cursor where d.At is.
	PutOffDelivery(ctx context.Context, d envelope.Delivery, wait time.Duration, reason string) error
	// ParkDelivery leaves it to people, its cursor where d.At is; after wait it is
	// pending again by itself, if wait is not 0.
	ParkDelivery(ctx context.Context, d envelope.Delivery, wait time.Duration, reason string) error

	// ClaimTransfers marks what it returns as placed, and returns what was marked
	// before. What is stuck is claimed too.
	ClaimTransfers(ctx context.Context, max int, lease time.Duration) ([]envelope.Transfer, error)
	// RecordTransfers records statuses in one transaction. The first result has an
	// error, or nil, for each of them; when the second is set nothing is recorded.
	RecordTransfers(ctx context.Context, words []envelope.TransferUpdate) ([]error, error)

	// Transfer reads one.
	Transfer(ctx context.Context, id envelope.ID, seq int) (envelope.Transfer, error)

	// ClaimBatches takes due batches of payouts, larger amounts first, with their
	// payouts; otherwise it is as ClaimTransfers.
	ClaimBatches(ctx context.Context, max int, lease time.Duration) ([]envelope.PayoutBatch, error)
	// RecordBatch records what became of each payout of a batch and ends it, in one
	// transaction; when the status is unknown, the batch is made due at once instead.
	// A repeat changes nothing. The error wraps
	// [envelope.ErrTransferConflict] when the status does not add up to the batch
	// or contradicts what is recorded, and [envelope.ErrNotFound] when there is no
	// such batch; the status is then kept for people.
	RecordBatch(ctx context.Context, status envelope.PayoutBatchStatus) error
	// PutOffBatch has a batch that is still pending looked at after its Wait,
	// and records why it does not go on. One that has ended stays so.
	PutOffBatch(ctx context.Context, word envelope.PayoutBatchUpdate) error

	// Paused maps the topics that people have paused to their reasons.
	Paused(ctx context.Context) (map[string]string, error)
	Pause(ctx context.Context, topic, reason string) error
}

// Orders pays and closes envelopes of the SET. Both are repeatable.
type Orders interface {
	Pay(ctx context.Context, p envelope.Payment) (envelope.Envelope, error)
	CloseUnpaid(ctx context.Context, id envelope.ID) (envelope.Envelope, error)
}

// Events tells the IM backend. A repeat of a fact must be recognisable there.
type Events interface {
	Notify(ctx context.Context, f envelope.Fact) error
}

// The topics beside those of envelope.Topic, spelled as in SQL.
const (
	topicOutbox   = "outbox"
	topicTransfer = "transfer"
)

// Backlog is what waits under one topic.
type Backlog struct {
	Pending int
	Oldest  time.Duration // age of the oldest one pending
	Stuck   int           // parked, held or stuck: waits for people
	Paused  bool
}
