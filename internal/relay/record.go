package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hongbao/envelope"
)

const (
	recordWordsMax = 256
	recordMax      = 10 * time.Second // one commit
)

// recorder writes down what the provider says, many words in one commit: while
// one is under way, the next batch gathers by itself.
type recorder struct {
	hear  func(context.Context, []envelope.TransferWord) ([]error, error)
	words chan heardWord // unbuffered: a word is in a batch or still its caller's
	done  chan struct{}  // closed: nothing is recorded any more
}

type heardWord struct {
	envelope.TransferWord
	answer chan error // buffered 1
}

func newRecorder(hear func(context.Context, []envelope.TransferWord) ([]error, error)) *recorder {
	return &recorder{hear: hear, words: make(chan heardWord), done: make(chan struct{})}
}

// Hear records the provider's word about one transfer and returns when it is
// committed. A repeat is fine. The error wraps [envelope.ErrTransferConflict]
// when the word contradicts what is recorded, and [envelope.ErrNotFound] when
// there is no such transfer; both are kept for people to look at, so neither
// needs to be said again. After any other error it does. A word without a wait
// gets an ordinary one.
func (r *Relay) Hear(ctx context.Context, word envelope.TransferWord) error {
	if word.Progress == envelope.ProgressStuck {
		if over, err := r.isOver(ctx, &word.TransferStatus); over || err != nil {
			return err
		}
	}
	if word.Wait == 0 {
		word.Wait = waitFor(word.Progress, 1)
	}
	return r.words.record(ctx, word)
}

// isOver reports whether a notification that a transfer is stuck was overtaken by
// that of its success: they come in any order. When the provider itself says that
// what was posted has not moved, s says that it was refused, so that people hear
// of it.
func (r *Relay) isOver(ctx context.Context, s *envelope.TransferStatus) (bool, error) {
	id, seq, _, err := envelope.ParseTransferNo(s.No)
	if err != nil {
		return false, nil // to be disputed
	}
	t, err := r.cfg.Store.Transfer(ctx, id, seq)
	switch {
	case errors.Is(err, envelope.ErrNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("transfer %s: %w", s.No, err)
	case t.State != envelope.Posted || t.No() != s.No:
		return false, nil
	}
	now, err := r.cfg.Cashier.Query(ctx, t)
	if err != nil {
		return false, fmt.Errorf("transfer %s is posted, and said to be stuck: %w", s.No, err)
	}
	s.Progress = envelope.ProgressRefused
	return now.Progress == envelope.ProgressDone, nil
}

func (c *recorder) record(ctx context.Context, word envelope.TransferWord) error {
	w := heardWord{TransferWord: word, answer: make(chan error, 1)}
	select {
	case c.words <- w:
	case <-c.done:
		return &envelope.BusyError{Reason: envelope.ReasonShuttingDown, RetryAfter: time.Second}
	case <-ctx.Done():
		return fmt.Errorf("transfer %s is not recorded: %w", word.No, ctx.Err())
	}
	select {
	case err := <-w.answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("record transfer %s: %w: %w", word.No, envelope.ErrUnknownOutcome, ctx.Err())
	}
}

// run commits what comes until stop is closed.
func (c *recorder) run(ctx context.Context, stop <-chan struct{}) {
	defer close(c.done)
	for {
		select {
		case w := <-c.words:
			c.commit(ctx, c.gather(w))
		case <-stop:
			return
		}
	}
}

// gather takes the words that are waiting already, and waits for none.
func (c *recorder) gather(first heardWord) []heardWord {
	batch := []heardWord{first}
	for len(batch) < recordWordsMax {
		select {
		case w := <-c.words:
			batch = append(batch, w)
		default:
			return batch
		}
	}
	return batch
}

func (c *recorder) commit(ctx context.Context, batch []heardWord) {
	ctx, cancel := context.WithTimeout(ctx, recordMax)
	defer cancel()
	left := batch
	err := alone(batch, func(part []heardWord) error {
		words := make([]envelope.TransferWord, len(part))
		for i, w := range part {
			words[i] = w.TransferWord
		}
		errs, err := c.hear(ctx, words)
		if err != nil {
			return err
		}
		for i, w := range part {
			w.answer <- errs[i]
		}
		left = left[len(part):]
		return nil
	}, func(w heardWord, err error) {
		w.answer <- err
		left = left[1:]
	})
	for _, w := range left { // alone goes through a batch from its beginning
		w.answer <- err
	}
}
