package owed

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/layout"
)

// RecordMax is how many statuses are recorded in one transaction at most.
const RecordMax = 1024

const (
	providerNoMax  = 64
	hintMax        = 1024
	unknownRefusal = "refused"
)

// RecordTransfers records the provider's words about transfers of this SET, up to
// 1024 in one transaction, and settles the envelopes whose last transfer it
// posts. A repeat changes nothing.
//
// The first result has an error or nil for each word: wrapping
// [envelope.ErrTransferConflict] when the word contradicts what is recorded,
// [envelope.ErrNotFound] when there is no such transfer. Both are kept as
// disputes. When the second result is an error nothing is recorded, or nobody
// knows.
func (s *Store) RecordTransfers(ctx context.Context, words []envelope.TransferWord) ([]error, error) {
	if len(words) > RecordMax {
		return nil, fmt.Errorf("SET %v: hear %d words: want at most %d", s.db.Number(), len(words), RecordMax)
	}
	var h *hearing
	err := s.db.TxRepeat(ctx, func(ctx context.Context, c *sql.Conn) error {
		h = newHearing(s.db.Number(), words)
		return h.run(ctx, c)
	})
	if err != nil {
		return nil, s.db.Answer(fmt.Sprintf("hear %d words", len(words)), err)
	}
	if len(h.refunded) > 0 {
		s.Touch()
	}
	s.flows.recorded(h.changed, len(h.settled))
	s.Settled(h.settled)
	return h.errs, nil
}

// hearing is one run of the transaction.
type hearing struct {
	words    []envelope.TransferWord
	errs     []error
	at       map[layout.TransferKey][]int // positions in words
	keys     []layout.TransferKey         // in their order
	rounds   []int                        // as words
	disputes []dispute
	changed  []Stored
	posted   []envelope.ID // have a transfer that was posted just now
	refunded []envelope.ID // … and it is the refund
	settled  []envelope.ID
}

// Stored is a transfer as it is to be stored.
type Stored struct {
	envelope.Transfer
	Batch string // in which it is; "" when it is asked for by itself
	Wait  int64  // μs until it is looked at again, if it is pending still
}

// LockStored locks and reads some transfers.
func LockStored(ctx context.Context, c *sql.Conn, keys []layout.TransferKey) (stored []Stored, err error) {
	err = mariadb.Each(ctx, c, func(rows *sql.Rows) (err error) {
		var t Stored
		t.Transfer, err = layout.ScanTransfer(rows, &t.Batch)
		stored = append(stored, t)
		return err
	}, lockTransfers(keys))
	return stored, err
}

func newHearing(set envelope.SetNumber, words []envelope.TransferWord) *hearing {
	h := &hearing{words: words, errs: make([]error, len(words)), rounds: make([]int, len(words)), at: map[layout.TransferKey][]int{}}
	for i := range words {
		id, seq, round, err := envelope.ParseTransferNo(words[i].No)
		if err != nil || id.Set() != set {
			h.dispute(i, "", ErrNoTransfer(words[i].No))
			continue
		}
		k := layout.TransferKey{ID: id, Seq: seq}
		if h.at[k] == nil {
			h.keys = append(h.keys, k)
		}
		h.rounds[i] = round
		h.at[k] = append(h.at[k], i)
	}
	slices.SortFunc(h.keys, layout.CompareKeys)
	return h
}

func ErrNoTransfer(no string) error {
	return fmt.Errorf("transfer %.80q: %w", no, envelope.ErrNotFound)
}

// run is the body of the transaction. Headers are locked before transfers, and
// only those of finished envelopes, which nobody opens any more.
func (h *hearing) run(ctx context.Context, c *sql.Conn) error {
	finished, err := LockFinished(ctx, c, h.moved())
	if err != nil {
		return err
	}
	if err := h.hear(ctx, c); err != nil {
		return err
	}
	if len(h.changed) > 0 {
		var update layout.Text
		args := updateHeard(&update, h.changed)
		if _, err := c.ExecContext(ctx, update.String(), args...); err != nil {
			return err
		}
	}
	if h.settled, err = Settle(ctx, c, finished, h.posted); err != nil {
		return err
	}
	if err := Enqueue(ctx, c, h.refunded...); err != nil {
		return err
	}
	for _, d := range h.disputes {
		if err := d.insert(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// hear applies the words to their transfers, in the order in which they came.
func (h *hearing) hear(ctx context.Context, c *sql.Conn) error {
	if len(h.keys) == 0 {
		return nil
	}
	stored, err := LockStored(ctx, c, h.keys)
	if err != nil {
		return err
	}
	for _, next := range stored { // rows come in the order of their keys
		k, before := layout.KeyOf(&next.Transfer), next.State
		for _, i := range h.at[k] {
			h.hearOne(i, &next)
		}
		delete(h.at, k)
		if before != envelope.Pending && before != envelope.Stuck || next.Batch != "" {
			continue
		}
		h.changed = append(h.changed, next)
		if next.State == envelope.Posted {
			h.posted = append(h.posted, k.ID)
			if next.IsRefund() {
				h.refunded = append(h.refunded, k.ID)
			}
		}
	}
	for _, k := range h.keys {
		for _, i := range h.at[k] {
			h.dispute(i, k.ID, ErrNoTransfer(h.words[i].No))
		}
	}
	h.posted = slices.Compact(h.posted)
	return nil
}

// hearOne applies the word at i to its transfer. Of a round that people have
// closed, only that it moved money after all is news.
func (h *hearing) hearOne(i int, t *Stored) {
	word := h.words[i].TransferStatus
	switch round := h.rounds[i]; {
	case round > t.Round:
		h.dispute(i, t.OrderNo, ErrNoTransfer(word.No))
		return
	case round < t.Round:
		if word.Progress == envelope.ProgressDone {
			h.dispute(i, t.OrderNo, fmt.Errorf("transfer %s is done, but people have begun round %d: %w", word.No, t.Round, envelope.ErrTransferConflict))
		}
		return
	case t.Batch != "":
		h.dispute(i, t.OrderNo, fmt.Errorf("transfer %s is asked for in batch %s, never by itself: %w", word.No, t.Batch, envelope.ErrTransferConflict))
		return
	}
	if word.Progress == envelope.ProgressRejected && h.words[i].Attempt != t.Attempts {
		word.Progress = envelope.ProgressStuck // it may be on its way there again
	}
	next, err := t.Hear(fitWord(word))
	if err != nil {
		h.dispute(i, t.OrderNo, err)
		return
	}
	if t.Transfer, t.Wait = next, layout.Wait(h.words[i].Wait); next.State != envelope.Pending && next.State != envelope.Stuck {
		t.Wait = 0 // due_at says since when
	}
}

// fitWord makes what the provider wrote fit its columns.
func fitWord(word envelope.TransferStatus) envelope.TransferStatus {
	word.ProviderNo, word.Hint = fit(word.ProviderNo, providerNoMax), fit(word.Hint, hintMax)
	if word.Code = layout.FitReason(word.Code); word.Code == "" {
		word.Code = unknownRefusal
	}
	return word
}

// fit is s if its column takes it, else nothing: half a number is none.
func fit(s string, max int) string {
	if len(s) > max || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return ""
	}
	return s
}

// dispute answers the word at i with err and keeps it for people.
func (h *hearing) dispute(i int, id envelope.ID, err error) {
	h.errs[i] = err
	h.disputes = append(h.disputes, dispute{kind: disputeTransfer, number: h.words[i].No, id: id, what: err.Error(), amount: h.words[i].Amount})
}

// moved are the envelopes whose transfers these words may post, in their order.
func (h *hearing) moved() (ids []envelope.ID) {
	for _, k := range h.keys {
		if slices.ContainsFunc(h.at[k], func(i int) bool { return h.words[i].Progress == envelope.ProgressDone }) {
			ids = append(ids, k.ID)
		}
	}
	return slices.Compact(ids)
}
