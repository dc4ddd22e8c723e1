package memory

import (
	"log/slog"
	"sync"
	"testing"

	"hongbao/envelope"
)

func TestClosedCacheDropsWrites(t *testing.T) {
	key, err := envelope.NewDrawKey([]byte("a draw key of 32 bytes, at least"))
	if err != nil {
		t.Fatal(err)
	}
	for _, servers := range [][]string{nil, {"127.0.0.1:1"}} { // none, and one without a listener
		m, err := NewFinished(servers, key, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		var keeping sync.WaitGroup
		for range 4 {
			keeping.Go(func() {
				for range 1000 {
					m.Keep(envelope.Snapshot{})
				}
			})
		}
		for range 2 {
			if err := m.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
		keeping.Wait()
		if _, found := m.Recall("02505712887272570880008"); found {
			t.Error("something was found in no cache")
		}
	}
}
