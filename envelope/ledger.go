package envelope

import (
	"context"
	"crypto/sha256"
	"time"
)

// Placement says where envelopes go and where they are.
type Placement interface {
	// Mint makes a body that no other envelope has or will have.
	Mint(ctx context.Context) (Body, error)
	// Candidates are the SETs in which an envelope of this sender's key may be made,
	// best first.
	Candidates(sender UserID, key string) []SetNumber
	// KeyHomes are where records of this sender's key may be, up to KeyHomesMax,
	// those that answer before those that do not. Which they are depends on the key
	// and on the SETs there are; neither on health nor on where new envelopes go.
	KeyHomes(sender UserID, key string) []KeyHome
	// Keys are those in one home. The error is never ErrNotFound, which would say
	// that the home has no such key.
	Keys(home KeyHome) (Keys, error)
	// Ledger is that of one SET: ErrUnknownSet when there is no such SET, a
	// [BusyError] when there was one. What it returned may be used to the end of the
	// request, whatever becomes of the SET meanwhile.
	Ledger(set SetNumber) (Ledger, error)
}

// Ledger keeps the envelopes of one SET, one transaction a method.
//
// Every method answers ErrNotFound for an ID whose day is over or was never,
// without touching a database, and a [BusyError] when the SET refuses or cannot be
// reached and nothing took effect.
type Ledger interface {
	// Create commits an unpaid envelope together with its key's record, and returns
	// the record. When the SET has one already, that is returned and nothing is made.
	Create(ctx context.Context, s Sending) (KeyRecord, error)
	// Sent reads the header of an envelope that a key's record names, however old.
	Sent(ctx context.Context, id ID) (Envelope, error)
	// Pay makes an unpaid envelope active and starts its life. A repeat of the
	// same payment is a result. ErrPaymentMismatch: amount or number differ.
	Pay(ctx context.Context, p Payment) (Envelope, error)
	// Open takes a share. Requests for one envelope take effect in the order in
	// which Open was called on one server.
	Open(ctx context.Context, req OpenRequest) (Opening, error)
	// Find reads an envelope with all its shares.
	Find(ctx context.Context, id ID) (Snapshot, error)
	// Peek reads an envelope with at most the share of one user.
	Peek(ctx context.Context, id ID, user UserID) (Snapshot, error)
	// Transfers reads, in the order of their positions, the transfers of an envelope
	// that go to user, and the one at position own wherever it goes; a negative own
	// is none. Those that have not been spread from the outbox are missing.
	Transfers(ctx context.Context, id ID, user UserID, own int) ([]Transfer, error)
	// Again begins the next round of a payout that user had not confirmed in time, and
	// returns the payout as it is then. One that is on its way or has arrived is
	// returned as it is. ErrPayoutHeld: people have to decide about it. ErrNotFound: it
	// does not go to user.
	Again(ctx context.Context, id ID, seq int, user UserID) (Transfer, error)
}

// OpenRequest is one opener of one envelope. It is what an open is from its handler
// to its transaction.
type OpenRequest struct {
	ID   ID
	User UserID
}

// Sending is an envelope with the idempotency key it was sent under.
type Sending struct {
	Envelope Envelope
	Key      string
	Hash     [sha256.Size]byte // of the order; a repeat must ask for the same
}

// Record is what the key's homes keep of it.
func (s *Sending) Record() KeyRecord {
	return KeyRecord{Sender: s.Envelope.Sender, Key: s.Key, Hash: s.Hash, ID: s.Envelope.ID}
}

// Snapshot is an envelope as one transaction saw it.
type Snapshot struct {
	Envelope Envelope
	Shares   []Share   // in the order of their positions
	Now      time.Time // the database's clock at the read
}
