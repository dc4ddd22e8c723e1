package orderset_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/fill"
	"hongbao/internal/settest"
	"hongbao/loadtest/past"
	"hongbao/orderset"
	"hongbao/orderset/layout"
)

// filledMachine is a number of a block that no world grants.
const filledMachine = 4095

// pastOf is a past of a world's SETs.
func pastOf(t testing.TB, w *settest.World, envelopes int) *past.Past {
	t.Helper()
	cfg := past.Config{Seed: 1, Envelopes: envelopes, Machine: filledMachine, DrawKey: w.DrawKey, Now: time.Now()}
	for _, spec := range w.Specs {
		cfg.Sets = append(cfg.Sets, spec.Number)
	}
	filled, err := past.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return filled
}

func fillerOf(t testing.TB, spec orderset.SetSpec) *fill.Filler {
	t.Helper()
	f, err := fill.Open(t.Context(), spec.Number, spec.Primary, orderset.Account{User: "migrator", Password: "migrator-test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestFilledTablesPassTheAudit(t *testing.T) {
	w := servers.World(t, 2)
	const envelopes = 3001
	filled := pastOf(t, w, envelopes)
	for i, spec := range w.Specs {
		f := fillerOf(t, spec)
		before, err := f.Bytes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		written := 0
		if err := f.Fill(t.Context(), filled.Of(i), func(n int) { written += n }); err != nil {
			t.Fatal(err)
		}
		after, err := f.Bytes(t.Context())
		if err != nil || before <= 0 || after <= before {
			t.Errorf("SET %v grew from %d to %d bytes, %v", spec.Number, before, after, err)
		}
		books := w.CheckBooks(t)[i]
		if want := envelopes/2 + (1-i)*envelopes%2; books.Envelopes != want || written != want || books.Shares < want {
			t.Errorf("SET %v: %d were written, the books have %v; want %d", spec.Number, written, books, want)
		}
		if books.Remaining <= 0 || books.Opened <= books.Remaining {
			t.Errorf("SET %v: want mostly settled envelopes and some active ones, have %v", spec.Number, books)
		}
	}
}

func TestFilledEnvelopesServe(t *testing.T) {
	w := servers.World(t, 1)
	filled := pastOf(t, w, 100)
	if err := fillerOf(t, w.Specs[0]).Fill(t.Context(), filled.Of(0), nil); err != nil {
		t.Fatal(err)
	}
	active := filled.Active(1)[0]
	if o := open(t, w.Router.Sets()[0], requests(active, "ann"))[0]; o.Outcome != envelope.Opened {
		t.Errorf("an active one: %+v", o)
	}
	settled := filled.Snapshot(0)
	have := find(t, w, settled.Envelope.ID)
	if have.Envelope != settled.Envelope {
		t.Errorf("stored is\n%+v, want\n%+v", have.Envelope, settled.Envelope)
	}
	if !slices.EqualFunc(have.Shares, settled.Shares, func(a, b envelope.Share) bool { return sameShare(a, b) && a.OpenedAt.Equal(b.OpenedAt) }) {
		t.Errorf("stored are\n%+v, want\n%+v", have.Shares, settled.Shares)
	}
}

func TestAFullBatchIsWrittenBeforeTheNext(t *testing.T) {
	w := servers.World(t, 1)
	filled := pastOf(t, w, 80_000) // some 2,700 in each table of a whole day
	table := layout.TableOf(filled.Snapshot(40_000).Envelope.ID)
	mine := func(yield func(envelope.Snapshot) bool) {
		for snap := range filled.Of(0) {
			if layout.TableOf(snap.Envelope.ID) == table && !yield(snap) {
				return
			}
		}
	}
	var batches []int
	if err := fillerOf(t, w.Specs[0]).Fill(t.Context(), mine, func(n int) { batches = append(batches, n) }); err != nil {
		t.Fatal(err)
	}
	if books := w.CheckBooks(t)[0]; len(batches) != 2 || batches[0] != 2000 || batches[0]+batches[1] != books.Envelopes {
		t.Errorf("batches of %v, want one of 2000 and the rest; the books have %v", batches, books)
	}
}

// I10: the control of the fill's audit: it reads every filled row.
func TestSpoiledFilledRowIsFound(t *testing.T) {
	w := servers.World(t, 1)
	filled := pastOf(t, w, 500)
	if err := fillerOf(t, w.Specs[0]).Fill(t.Context(), filled.Of(0), nil); err != nil {
		t.Fatal(err)
	}
	w.CheckBooks(t)
	admin := w.Admin(t, 0)
	for _, n := range []int{0, 250} {
		id := filled.Snapshot(n).Envelope.ID
		exec(t, admin, "UPDATE "+shares(id)+" SET amount_fen = amount_fen + 1 WHERE order_id = '"+string(id)+"' AND seq = 1")
		books := w.Audit(t)[0]
		if len(books.Violations) == 0 || books.Violations[0].Key != string(id) {
			t.Errorf("envelope %d of the fill, %s, was spoiled: %v", n, id, books)
		}
		exec(t, admin, "UPDATE "+shares(id)+" SET amount_fen = amount_fen - 1 WHERE order_id = '"+string(id)+"' AND seq = 1")
	}
}

func TestRepeatedFillHarmsNothing(t *testing.T) {
	w := servers.World(t, 1)
	filled, f := pastOf(t, w, 300), fillerOf(t, w.Specs[0])
	if err := f.Fill(t.Context(), filled.Of(0), nil); err != nil {
		t.Fatal(err)
	}
	before := w.CheckBooks(t)[0]
	if err := f.Fill(t.Context(), filled.Of(0), nil); err == nil || !strings.Contains(err.Error(), "Duplicate") {
		t.Errorf("the same envelopes again: %v", err)
	}
	if after := w.CheckBooks(t)[0]; after.Envelopes != before.Envelopes || after.Shares != before.Shares {
		t.Errorf("the books were %v and are %v", before, after)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Fill(ctx, pastOf(t, w, 10).Of(0), nil); err == nil {
		t.Error("it filled after it was told to stop")
	}
}

func TestOnlyPlaygroundsAndDrillsAreFilled(t *testing.T) {
	w := servers.World(t, 1)
	admin, migrator := w.Admin(t, 0), orderset.Account{User: "migrator", Password: "migrator-test"}
	exec(t, admin, "UPDATE set_info SET environment = 'production'")
	if _, err := fill.Open(t.Context(), w.Specs[0].Number, w.Specs[0].Primary, migrator); err == nil || !strings.Contains(err.Error(), "production") {
		t.Errorf("in production: %v", err)
	}
	exec(t, admin, "UPDATE set_info SET environment = 'drill'")
	wrong := w.Specs[0]
	wrong.Primary = nobodyThere(t)
	if _, err := fill.Open(t.Context(), wrong.Number, wrong.Primary, migrator); err == nil {
		t.Error("filled where there is no database")
	}
	fillerOf(t, w.Specs[0])
}
