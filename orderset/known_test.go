package orderset_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/orderset"
)

// without is the world's topology without some of its SETs, which may be retired.
func without(t *testing.T, specs []orderset.SetSpec, retired ...envelope.SetNumber) orderset.Topology {
	t.Helper()
	topology, err := orderset.NewTopology(specs)
	if err == nil {
		topology, err = topology.Retire(retired...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return topology
}

// FS23: what was part of a deployment is missed when it is gone.
func TestASETThatLeavesTheTopologyIsMissed(t *testing.T) {
	w := servers.World(t, 3)
	e := w.Active(t, 0, envelope.Order{Total: 100, Count: 2})
	gone := w.Specs[0].Number
	cfg := configOf(w, "known")
	for range 2 { // again and again is fine
		if err := newRouter(t, cfg).CheckKnown(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	missed := func(err error) bool {
		missing, ok := errors.AsType[*orderset.MissingSetsError](err)
		return ok && slices.Equal(missing.Sets, []envelope.SetNumber{gone}) && strings.Contains(err.Error(), "SET "+gone.String()+" was part")
	}
	dead := at(w.Specs[1], nobodyThere(t))
	for name, specs := range map[string][]orderset.SetSpec{
		"two are left": {w.Specs[1], w.Specs[2]}, "one is left": {w.Specs[2]}, "one of two does not answer": {dead, w.Specs[2]},
	} {
		cfg.Topology = without(t, specs)
		err := newRouter(t, cfg).CheckKnown(t.Context())
		if len(specs) == 1 {
			if missing, ok := errors.AsType[*orderset.MissingSetsError](err); !ok || len(missing.Sets) != 2 {
				t.Errorf("%s: %v, want both missed", name, err)
			}
			continue
		}
		if !missed(err) {
			t.Errorf("%s: %v, want SET %v missed", name, err, gone)
		}
		if err := orderset.ExamineKnown(t.Context(), cfg.Topology, cfg.App); !missed(err) {
			t.Errorf("%s: examined: %v, want SET %v missed", name, err, gone)
		}
	}
	cfg.Topology = without(t, []orderset.SetSpec{w.Specs[1], w.Specs[2]}, gone)
	r := newRouter(t, cfg)
	if err := r.CheckKnown(t.Context()); err != nil {
		t.Errorf("retired: %v", err)
	}
	for what, ask := range map[string]func(id envelope.ID) error{
		"find": func(id envelope.ID) error { _, err := r.Find(t.Context(), id); return err },
		"peek": func(id envelope.ID) error { _, err := r.Peek(t.Context(), id, "bob"); return err },
		"pay":  func(id envelope.ID) error { _, err := r.Pay(t.Context(), payment(e, "tx-gone")); return err },
		"sent": func(id envelope.ID) error { _, err := r.Sent(t.Context(), id); return err },
		"set":  func(id envelope.ID) error { _, err := r.Set(id); return err },
	} {
		wantBusy(t, ask(e.ID), envelope.ReasonSetUnavailable)
		if what == "pay" {
			continue
		}
		if err := ask(idAt(time.Now(), 999)); !errors.Is(err, envelope.ErrUnknownSet) || !errors.Is(err, envelope.ErrNotFound) || isBusy(err) {
			t.Errorf("%s in a SET that was never ours: %v", what, err)
		}
	}
	cfg.Topology = w.Topology // listed again, all is well
	if err := newRouter(t, cfg).CheckKnown(t.Context()); err != nil {
		t.Errorf("listed again: %v", err)
	}
}
