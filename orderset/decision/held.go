package decision

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/layout"
	"hongbao/orderset/owed"
	"hongbao/orderset/setdb"
)

// Orders of a list of what is held.
const (
	HeldByAmount = "amount" // the largest first
	HeldByAge    = "age"    // the longest held first
	HeldByReason = "reason" // and the longest held first
)

// HeldQuery is which of the held transfers are listed. The zero value is the largest
// of all.
type HeldQuery struct {
	Reason string // "": any
	Sort   string // one of the orders; "" is by amount
	Max    int    // 1000 at most

	// Proposed leaves those about which this person's release stands, or with
	// HeldNotProposed those about which nothing stands; "": any.
	Proposed string
	Until    time.Time // proposed by then
}

// HeldNotProposed is no person's name.
const HeldNotProposed = "-none-"

// HeldTransfer is a transfer that waits for people.
type HeldTransfer struct {
	envelope.Transfer
	Sender   envelope.UserID // of the envelope; "" once its day has been moved away
	Since    time.Time       // when it was refused
	Now      time.Time       // the database's clock
	Proposal *Proposal       // what stands
	Disputes []string        // what the provider says and the row denies: it stops a release
}

const (
	heldColumns = "SELECT " + layout.TransferColumns + ", batch, UTC_TIMESTAMP(3) FROM transfer WHERE state = 'held' AND (? = '' OR reason = ?) AND "
	heldStands  = "EXISTS (SELECT 1 FROM decision d WHERE d.order_id = transfer.order_id AND d.seq = transfer.seq AND d.standing = 1 " +
		"AND d.proposed_at > UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND"
)

// statement is the query and its arguments.
func (q *HeldQuery) statement() (statement string, args []any) {
	statement, args = heldColumns, []any{q.Reason, q.Reason}
	switch q.Proposed {
	case "":
		statement += "TRUE ORDER BY "
	case HeldNotProposed:
		statement, args = statement+"NOT "+heldStands+") ORDER BY ", append(args, proposalLife.Microseconds())
	default:
		statement += heldStands + " AND d.action = 'release' AND d.proposed_by = ? AND d.proposed_at <= ?) ORDER BY "
		args = append(args, proposalLife.Microseconds(), q.Proposed, layout.AsStored(q.Until))
	}
	return statement + q.order(), append(args, min(q.Max, listMax))
}

func (q *HeldQuery) order() string {
	switch q.Sort {
	case HeldByAge:
		return "due_at, order_id, seq LIMIT ?"
	case HeldByReason:
		return "reason, due_at, order_id, seq LIMIT ?"
	}
	return "amount_fen DESC, due_at, order_id, seq LIMIT ?"
}

// Held lists transfers that were refused for good.
func (s *Desk) Held(ctx context.Context, q HeldQuery) ([]HeldTransfer, error) {
	ctx, cancel := context.WithTimeout(ctx, setdb.TxMax)
	defer cancel()
	held, err := s.held(ctx, q)
	return held, s.db.Answer("held transfers", err)
}

func (s *Desk) held(ctx context.Context, q HeldQuery) (held []HeldTransfer, err error) {
	var stored []owed.Stored
	statement, args := q.statement()
	err = mariadb.Each(ctx, s.db, func(rows *sql.Rows) (err error) {
		var t owed.Stored
		var now time.Time
		t.Transfer, err = layout.ScanTransfer(rows, &t.Batch, &now)
		stored = append(stored, t)
		held = append(held, HeldTransfer{Transfer: t.Transfer, Since: t.DueAt, Now: now})
		return err
	}, statement, args...)
	if err != nil || len(held) == 0 {
		return nil, err
	}
	proposals, err := s.proposals(ctx, stored)
	if err != nil {
		return nil, err
	}
	disputes, err := disputesOf(ctx, s.db, stored)
	if err != nil {
		return nil, err
	}
	senders, err := s.senders(ctx, stored)
	for i := range held {
		h, k := &held[i], layout.KeyOf(&held[i].Transfer)
		h.Sender, h.Proposal = senders[k.ID], proposals[k]
		for _, d := range disputes[k] {
			h.Disputes = append(h.Disputes, d.what)
		}
	}
	return held, err
}

// proposals are those that stand.
func (s *Desk) proposals(ctx context.Context, ts []owed.Stored) (map[layout.TransferKey]*Proposal, error) {
	b := &layout.Text{}
	b.Add("SELECT ", decisionColumns, " FROM decision WHERE standing = 1 AND (")
	layout.AddKeys(b, sortedKeys(ts))
	b.Add(")")
	ds, err := queryDecisions(ctx, s.db, b.String())
	found := make(map[layout.TransferKey]*Proposal, len(ds))
	for i := range ds {
		if !ds[i].lapsed() {
			found[ds[i].key] = &ds[i].Proposal
		}
	}
	return found, err
}

func (s *Desk) senders(ctx context.Context, ts []owed.Stored) (map[envelope.ID]envelope.UserID, error) {
	var ids []envelope.ID
	for _, k := range sortedKeys(ts) {
		if len(ids) == 0 || ids[len(ids)-1] != k.ID {
			ids = append(ids, k.ID)
		}
	}
	found := make(map[envelope.ID]envelope.UserID, len(ids))
	for t, ids := range layout.ByTable(ids) {
		es, _, err := layout.QueryHeaders(ctx, s.db, t.SelectHeaders(ids))
		if mariadb.NoSuchTable(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for i := range es {
			found[es[i].ID] = es[i].Sender
		}
	}
	return found, nil
}

func sortedKeys(ts []owed.Stored) []layout.TransferKey {
	keys := make([]layout.TransferKey, len(ts))
	for i := range ts {
		keys[i] = layout.KeyOf(&ts[i].Transfer)
	}
	slices.SortFunc(keys, layout.CompareKeys)
	return keys
}
