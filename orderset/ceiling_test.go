package orderset_test

import (
	"testing"
	"time"

	"hongbao/internal/fill"
)

func TestMeasuringTheCeilingLeavesNothing(t *testing.T) {
	w := servers.World(t, 1)
	rate, err := fill.InsertCeiling(t.Context(), w.Specs[0].Number, w.Specs[0].Primary, w.App, 200*time.Millisecond)
	if err != nil || rate < 100 {
		t.Errorf("%f rows a second, %v", rate, err)
	}
	if books := w.CheckBooks(t)[0]; books.Envelopes != 0 || books.Shares != 0 {
		t.Errorf("it left %v", books)
	}
	if _, err := fill.InsertCeiling(t.Context(), w.Specs[0].Number, nobodyThere(t), w.App, time.Millisecond); err == nil {
		t.Error("measured where there is no database")
	}
}
