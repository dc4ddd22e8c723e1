package dispatch

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAgendaGoesByTimeNotByOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, start := NewAgenda(1), time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); a.Run(ctx) }()
		var mu sync.Mutex
		var at []time.Duration
		for _, wait := range []time.Duration{3, 1, 2, 0, -1, 48 * time.Duration(time.Hour/time.Second)} {
			a.At(start.Add(wait*time.Second), func(context.Context) {
				mu.Lock()
				defer mu.Unlock()
				at = append(at, time.Since(start))
			})
			synctest.Wait()
		}
		time.Sleep(72 * time.Hour)
		synctest.Wait()
		want := []time.Duration{0, 0, time.Second, 2 * time.Second, 3 * time.Second, 48 * time.Hour}
		if diff := cmp.Diff(want, at); diff != "" {
			t.Error(diff)
		}
		cancel()
		<-ended
	})
}

func TestAgendaFinishesWhatIsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewAgenda(2)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); a.Run(ctx) }()
		var finished, late bool
		a.At(time.Now(), func(ctx context.Context) {
			time.Sleep(time.Minute)
			finished = ctx.Err() == nil
		})
		a.At(time.Now().Add(time.Second), func(context.Context) { late = true })
		synctest.Wait()
		cancel()
		<-ended
		if !finished || late {
			t.Errorf("finished %v, late %v", finished, late)
		}
	})
}
