package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hongbao/envelope"
)

func doneWord(n int) envelope.TransferUpdate {
	return envelope.TransferUpdate{TransferStatus: envelope.TransferStatus{No: envelope.TransferNo(id(n), 1, 1), Progress: envelope.ProgressDone}}
}

// hearAll says n words at once and returns their answers.
func hearAll(ctx context.Context, r *Relay, n int) []error {
	errs := make([]error, n)
	var callers sync.WaitGroup
	for i := range n {
		callers.Go(func() { errs[i] = r.RecordTransfer(ctx, doneWord(i)) })
	}
	callers.Wait()
	return errs
}

// recording runs r while do runs.
func recording(t *testing.T, r *Relay, do func()) {
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { r.Run(ctx) })
	do()
	stop()
	running.Wait()
}

func TestStatusesAreCommittedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		for n := range 1000 {
			s.debt(n).DueAt = time.Now().Add(time.Hour)
		}
		s.hear = func([]envelope.TransferUpdate) error { time.Sleep(10 * time.Millisecond); return nil }
		r := s.relay(t)
		recording(t, r, func() {
			for i, err := range hearAll(t.Context(), r, 1000) {
				if err != nil || s.transfers[i].State != envelope.Posted {
					t.Fatalf("word %d: %v, %s", i, err, s.transfers[i].State)
				}
			}
		})
		if len(s.batches) > 6 || slices.Max(s.batches) > recordStatusesMax {
			t.Errorf("commits of %v words", s.batches)
		}
	})
}

func TestPoisonedStatusFailsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		for n := range 200 {
			s.debt(n).DueAt = time.Now().Add(time.Hour)
		}
		poison := errors.New("poison")
		bad := doneWord(77).No
		s.hear = func(words []envelope.TransferUpdate) error {
			time.Sleep(time.Millisecond)
			if slices.ContainsFunc(words, func(w envelope.TransferUpdate) bool { return w.No == bad }) {
				return poison
			}
			return nil
		}
		r := s.relay(t)
		recording(t, r, func() {
			for i, err := range hearAll(t.Context(), r, 200) {
				if (i == 77) != errors.Is(err, poison) || (i == 77) == (s.transfers[i].State == envelope.Posted) {
					t.Errorf("word %d: %v, %s", i, err, s.transfers[i].State)
				}
			}
		})
	})
}

func TestAnUnrecordedStatusIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.debt(0).DueAt = time.Now().Add(time.Hour)
		busy := &envelope.BusyError{Reason: "database"}
		s.hear = func([]envelope.TransferUpdate) error { return fmt.Errorf("commit: %w", busy) }
		r := s.relay(t)
		recording(t, r, func() {
			for _, err := range hearAll(t.Context(), r, 100) {
				if !errors.Is(err, busy) {
					t.Fatal(err)
				}
			}
			s.hear = nil
			if err := r.RecordTransfer(t.Context(), doneWord(1)); !errors.Is(err, envelope.ErrNotFound) {
				t.Errorf("a word about nothing: %v", err)
			}
			refused := doneWord(0)
			refused.Progress = envelope.ProgressRefused
			if err := errors.Join(r.RecordTransfer(t.Context(), doneWord(0)), r.RecordTransfer(t.Context(), doneWord(0))); err != nil {
				t.Errorf("FG2 a repeat: %v", err)
			}
			if err := r.RecordTransfer(t.Context(), refused); !errors.Is(err, envelope.ErrTransferConflict) {
				t.Errorf("FG3 success, then failure: %v", err)
			}
		})
		if err := r.RecordTransfer(t.Context(), doneWord(0)); !isBusy(err) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestACallerMayLeaveARecorderThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.debt(0).DueAt = time.Now().Add(time.Hour)
		s.hear = func([]envelope.TransferUpdate) error { time.Sleep(recordMax); return nil }
		r := s.relay(t)
		recording(t, r, func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			for _, err := range hearAll(ctx, r, 2) { // one in the commit, one before it
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			}
		})
	})
}

func TestInterimCallbackIsNotQueriedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		m := s.debt(0)
		m.DueAt = time.Now().Add(time.Hour)
		r := s.relay(t)
		recording(t, r, func() {
			word := doneWord(0)
			word.Progress = envelope.ProgressAwaiting
			if err := r.RecordTransfer(t.Context(), word); err != nil {
				t.Error(err)
			}
		})
		if wait := m.DueAt.Sub(start()); wait < 15*time.Second || wait > 31*time.Second {
			t.Errorf("asked about again after %v", wait)
		}
	})
}
