package orderset_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset"
)

// homesOf is a world of so many SETs; with two there is a witness beside them.
func homesOf(t *testing.T, sets int) (w *settest.World, cfg orderset.Config, witness *settest.Proxy) {
	t.Helper()
	w = servers.World(t, sets)
	cfg = configOf(w, t.Name())
	cfg.Memory = 16
	if sets == 2 {
		cfg.Witness, witness = w.Books(t)
	}
	return w, cfg, witness
}

// sender is a teller on a router of its own that mints.
func sender(t *testing.T, w *settest.World, cfg orderset.Config, owner string, change func(specs []orderset.SetSpec)) (*envelope.Teller, *charges) {
	t.Helper()
	cfg.Owner = owner
	cfg.Topology = topologyOf(t, w, change)
	r := newRouter(t, cfg)
	keepMinting(t, r)
	return tellerOn(t, w, r)
}

func asItIs([]orderset.SetSpec) {}

// orderBy is an order of this test's own sender: worlds of two SETs share a witness.
func orderBy(t *testing.T, key string) envelope.Order {
	o := orderOf(key)
	o.Sender = envelope.UserID(fmt.Sprintf("%x", sha256.Sum256([]byte(t.Name()))))
	return o
}

// FS2: the record of a key is in two homes before its charge is placed, so a repeat
// while the first envelope's SET is ill finds it, and waits.
func TestRepeatWithItsSETDownWaits(t *testing.T) {
	t.Parallel()
	for _, sets := range []int{2, 3} {
		w, cfg, _ := homesOf(t, sets)
		for name, ill := range map[string]func(set int) (change func([]orderset.SetSpec), heal func()){
			"down": func(set int) (func([]orderset.SetSpec), func()) {
				dead := nobodyThere(t)
				return func(specs []orderset.SetSpec) { specs[set].Primary = dead }, func() {}
			},
			"frozen": func(set int) (func([]orderset.SetSpec), func()) {
				w.Proxies[set].Freeze(true)
				return asItIs, func() { w.Proxies[set].Freeze(false) }
			},
			"slow": func(set int) (func([]orderset.SetSpec), func()) {
				w.Proxies[set].Delay(1200 * time.Millisecond)
				return asItIs, func() { w.Proxies[set].Delay(0) }
			},
		} {
			t.Run(fmt.Sprintf("%d SETs, %s", sets, name), func(t *testing.T) {
				whole, placed := sender(t, w, cfg, t.Name()+"/whole", asItIs)
				first, err := whole.Send(t.Context(), orderBy(t, "k"))
				if err != nil {
					t.Fatal(err)
				}
				set := slices.IndexFunc(w.Specs, func(s orderset.SetSpec) bool { return s.Number == first.Envelope.ID.Set() })
				change, heal := ill(set)
				other := orderBy(t, "k")
				other.Total++
				cfg.Owner = t.Name() + "/ill"
				cfg.Topology = topologyOf(t, w, change)
				teller, again := tellerOn(t, w, newRouter(t, cfg)) // it mints nothing, and must not want to
				for range 3 {
					if sent, err := teller.Send(t.Context(), orderBy(t, "k")); !isBusy(err) {
						t.Errorf("a repeat: %+v, %v, want busy", sent, err)
					}
					if _, err := teller.Send(t.Context(), other); !errors.Is(err, envelope.ErrKeyReused) {
						t.Errorf("another body: %v, want ErrKeyReused", err)
					}
				}
				heal()
				if sent, err := whole.Send(t.Context(), orderBy(t, "k")); err != nil || sent.Envelope.ID != first.Envelope.ID {
					t.Errorf("well again: %+v, %v, want %s", sent, err, first.Envelope.ID)
				}
				if again.placed.Load() != 0 || len(placed.nos) != 1 {
					t.Errorf("charges for %v and %d more", placed.nos, again.placed.Load())
				}
			})
		}
	}
}

// FS2, the other side: keys that are new go on, whichever home is ill, and even when
// the witness is.
func TestANewKeyIsSentWhileAnyOneHomeIsDown(t *testing.T) {
	t.Parallel()
	for _, sets := range []int{2, 3} {
		for down := range sets {
			t.Run(fmt.Sprintf("SET %d of %d", down, sets), func(t *testing.T) {
				w, cfg, _ := homesOf(t, sets)
				dead := nobodyThere(t)
				teller, placed := sender(t, w, cfg, "healing", func(specs []orderset.SetSpec) { specs[down].Primary = dead })
				whole, _ := sender(t, w, cfg, "whole", asItIs)
				for i := range 10 {
					sent, err := teller.Send(t.Context(), orderBy(t, fmt.Sprint(i)))
					if err != nil || sent.CodeURL == "" {
						t.Fatalf("key %d: %+v, %v", i, sent, err)
					}
					for name, again := range map[string]*envelope.Teller{"during the outage": teller, "after it": whole} {
						if got, err := again.Send(t.Context(), orderBy(t, fmt.Sprint(i))); err != nil || got.Envelope.ID != sent.Envelope.ID {
							t.Errorf("key %d again, %s: %+v, %v, want %s", i, name, got, err, sent.Envelope.ID)
						}
					}
				}
				if len(placed.nos) != 10 {
					t.Errorf("%d envelopes were charged for, want 10", len(placed.nos))
				}
			})
		}
	}
	t.Run("the witness", func(t *testing.T) {
		w, cfg, witness := homesOf(t, 2)
		witness.Freeze(true)
		defer witness.Freeze(false)
		teller, _ := sender(t, w, cfg, "alone", asItIs)
		if _, err := teller.Send(t.Context(), orderBy(t, "k")); err != nil {
			t.Error(err)
		}
	})
}

// FS2: minting: false takes new envelopes away from a SET, and no keys.
func TestARepeatFindsWhatADrainedSETMade(t *testing.T) {
	t.Parallel()
	for _, sets := range []int{2, 3, 5} {
		w, cfg, _ := homesOf(t, sets)
		whole, _ := sender(t, w, cfg, "whole", asItIs)
		first := map[string]envelope.ID{}
		for i := range 20 {
			sent, err := whole.Send(t.Context(), orderBy(t, fmt.Sprint(i)))
			if err != nil {
				t.Fatal(err)
			}
			first[fmt.Sprint(i)] = sent.Envelope.ID
		}
		for left := range sets { // all but one are drained
			teller, placed := sender(t, w, cfg, fmt.Sprint("drained-", left), func(specs []orderset.SetSpec) {
				for i := range specs {
					specs[i].Minting = i == left
				}
			})
			for key, id := range first {
				if sent, err := teller.Send(t.Context(), orderBy(t, key)); err != nil || sent.Envelope.ID != id {
					t.Errorf("%d SETs, only %d mints: key %s: %+v, %v, want %s", sets, left, key, sent, err, id)
				}
				other := orderBy(t, key)
				other.Count++
				if _, err := teller.Send(t.Context(), other); !errors.Is(err, envelope.ErrKeyReused) {
					t.Errorf("%d SETs, only %d mints: key %s for another body: %v", sets, left, key, err)
				}
			}
			if sent, err := teller.Send(t.Context(), orderBy(t, fmt.Sprint("new-", left))); err != nil || sent.Envelope.ID.Set() != w.Specs[left].Number {
				t.Errorf("%d SETs, only %d mints: a new key: %+v, %v", sets, left, sent, err)
			}
			if len(placed.nos) != len(first)+1 {
				t.Errorf("%d SETs, only %d mints: charges for %d envelopes, want %d", sets, left, len(placed.nos), len(first)+1)
			}
		}
	}
}

// FS2: the two halves of every fault between the writes of a send.
func TestASendThatLosesAWriteIsMadeOnce(t *testing.T) {
	t.Parallel()
	w, cfg, _ := homesOf(t, 3)
	teller, placed := sender(t, w, cfg, "sender", asItIs)
	keys := 0
	for half, fault := range bothFaults {
		for _, statement := range []string{"SELECT order_id, request_hash", "INSERT INTO send_key", "INSERT INTO envelope", "COMMIT"} {
			for set, proxy := range w.Proxies {
				name := fmt.Sprintf("%s, %s, SET %d", statement, half, set)
				hits := proxy.Hits()
				proxy.Lose(fault, statement)
				for proxy.Hits() == hits { // until a key comes by that place
					keys++
					key := fmt.Sprint("key-", keys)
					if _, err := teller.Send(t.Context(), orderBy(t, key)); err != nil && !isBusy(err) && !errors.Is(err, envelope.ErrUnknownOutcome) {
						t.Errorf("%s: %v", name, err)
					}
					if _, err := teller.Send(t.Context(), orderBy(t, key)); err != nil {
						t.Errorf("%s: the repeat: %v", name, err)
					}
				}
			}
		}
	}
	if len(placed.nos) != keys {
		t.Errorf("%d keys and charges for %d envelopes", keys, len(placed.nos))
	}
}

// FS2: a first send whose commit is late, and a repeat at another server that does
// not see that SET at all.
func TestLateCommitAndRepeatAreChargedOnce(t *testing.T) {
	t.Parallel()
	for _, sets := range []int{2, 3} {
		w, cfg, _ := homesOf(t, sets)
		slow, slowly := sender(t, w, cfg, "slow", asItIs)
		dead, keys := nobodyThere(t), 0
		late := make(chan envelope.Sent, 1)
		key, set := "", 0
		for underWay := false; !underWay; keys++ { // a SET that was slow to answer is not the first to be tried
			key = fmt.Sprint("k-", keys)
			set = slices.IndexFunc(w.Specs, func(s orderset.SetSpec) bool { return s.Number == w.Router.Candidates(orderBy(t, key).Sender, key)[0] })
			commit := w.Proxies[set].Stall(t, "COMMIT")
			go func() {
				sent, err := slow.Send(t.Context(), orderBy(t, key))
				if err != nil {
					t.Errorf("the one whose commit is late: %v", err)
				}
				late <- sent
			}()
			select {
			case <-commit.Reached():
				underWay = true
				time.AfterFunc(time.Second, commit.Release)
			case <-late:
				commit.Release()
			}
		}
		blind, blindly := sender(t, w, cfg, "blind", func(specs []orderset.SetSpec) { specs[set].Primary = dead })
		won, err := blind.Send(t.Context(), orderBy(t, key))
		if err != nil {
			t.Fatal(err)
		}
		if sent := <-late; sent.Envelope.ID != won.Envelope.ID {
			t.Errorf("%d SETs: one send was given %s, the other %s", sets, won.Envelope.ID, sent.Envelope.ID)
		}
		nos := maps.Clone(slowly.nos)
		maps.Copy(nos, blindly.nos)
		if len(nos) != keys {
			t.Errorf("%d SETs, %d keys: charges for %v, want one a key", sets, keys, nos)
		}
	}
}

// FS2: servers that see different SETs down send one key at the same time.
func TestDisagreeingServersChargeForOne(t *testing.T) {
	t.Parallel()
	w, cfg, _ := homesOf(t, 3)
	dead := nobodyThere(t)
	var tellers []*envelope.Teller
	var placed []*charges
	for down := range 4 { // the last one sees all
		teller, c := sender(t, w, cfg, fmt.Sprint("server-", down), func(specs []orderset.SetSpec) {
			if down < len(specs) {
				specs[down].Primary = dead
			}
		})
		tellers, placed = append(tellers, teller), append(placed, c)
	}
	const keys = 20
	for i := range keys {
		var sending sync.WaitGroup
		for _, teller := range tellers {
			sending.Go(func() {
				_, err := teller.Send(t.Context(), orderBy(t, fmt.Sprint(i)))
				if err != nil && !isBusy(err) && !errors.Is(err, envelope.ErrKeyReused) {
					t.Error(err)
				}
			})
		}
		sending.Wait()
	}
	nos := map[envelope.ID]bool{}
	for _, c := range placed {
		maps.Copy(nos, c.nos)
	}
	if len(nos) > keys || len(nos) < keys/2 {
		t.Errorf("%d keys and charges for %d envelopes", keys, len(nos))
	}
}
