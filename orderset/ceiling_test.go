package orderset_test

import (
	"testing"
	"time"

	"hongbao/orderset"
)

func TestTheCeilingIsMeasuredAndLeavesNothingBehind(t *testing.T) {
	w := servers.World(t, 1)
	rate, err := orderset.InsertCeiling(t.Context(), w.Specs[0], w.App, 200*time.Millisecond)
	if err != nil || rate < 100 {
		t.Errorf("%f rows a second, %v", rate, err)
	}
	if books := w.CheckBooks(t)[0]; books.Envelopes != 0 || books.Shares != 0 {
		t.Errorf("it left %v", books)
	}
	if _, err := orderset.InsertCeiling(t.Context(), at(w.Specs[0], nobodyThere(t)), w.App, time.Millisecond); err == nil {
		t.Error("measured where there is no database")
	}
}
