package orderset_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset"
)

// charges is a provider that remembers what it was asked for, and looks at the
// envelope at that moment.
type charges struct {
	router *settest.Router
	placed atomic.Int32
	mu     sync.Mutex // guards the fields below
	states []envelope.State
	nos    map[envelope.ID]bool
}

func (c *charges) Prepay(ctx context.Context, charge envelope.Charge) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.placed.Add(1)
	if c.nos == nil {
		c.nos = map[envelope.ID]bool{}
	}
	c.nos[charge.OrderNo] = true
	snap, err := c.router.Find(ctx, charge.OrderNo)
	if err != nil {
		return "", fmt.Errorf("the provider hears of %s, which is not there: %w", charge.OrderNo, err)
	}
	c.states = append(c.states, snap.Envelope.State)
	return "pay://" + string(charge.OrderNo), nil
}

// tellerOn is a teller on a router.
func tellerOn(t *testing.T, w *settest.World, r *settest.Router) (*envelope.Teller, *charges) {
	t.Helper()
	tickets, err := envelope.NewTickets(envelope.TicketKey{Secret: []byte("a ticket key of 32 bytes at least")})
	if err != nil {
		t.Fatal(err)
	}
	provider := &charges{router: r}
	teller, err := envelope.NewTeller(envelope.TellerConfig{
		Placement: r, Provider: provider, DrawKey: w.DrawKey, Tickets: tickets, Limits: envelope.DefaultLimits(), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return teller, provider
}

func orderOf(key string) envelope.Order {
	return envelope.Order{Sender: "ann", Key: key, Kind: envelope.Lucky, Total: 1000, Count: 10, Group: "g"}
}

// send is a send that must be answered.
func send(t *testing.T, teller *envelope.Teller, key string) envelope.ID {
	t.Helper()
	sent, err := teller.Send(t.Context(), orderOf(key))
	if err != nil {
		t.Fatalf("send %s: %v", key, err)
	}
	if sent.CodeURL != "pay://"+string(sent.Envelope.ID) {
		t.Errorf("send %s: code URL %q of %s", key, sent.CodeURL, sent.Envelope.ID)
	}
	return sent.Envelope.ID
}

// withDead is an order server that mints and cannot reach one SET.
func withDead(t *testing.T, w *settest.World, set int) *settest.Router {
	t.Helper()
	dead := nobodyThere(t)
	cfg := configOf(w, "healing")
	cfg.Topology = topologyOf(t, w, func(specs []orderset.SetSpec) { specs[set].Primary = dead })
	r := newRouter(t, cfg)
	keepMinting(t, r)
	return r
}

func TestASendGoesToAnotherSETWhenOneIsDown(t *testing.T) {
	w := servers.World(t, 3)
	const keys = 40
	whole, _ := tellerOn(t, w, w.Router)
	healing, provider := tellerOn(t, w, withDead(t, w, 0))
	sent := map[string]envelope.ID{}
	for i := range keys {
		key := fmt.Sprint("during-", i)
		sent[key] = send(t, healing, key)
		if sent[key].Set() == w.Specs[0].Number {
			t.Errorf("%s was sent to SET %v, which is down", key, sent[key].Set())
		}
	}
	for key, id := range sent { // the repeat finds the first one, also when the SET is back
		if again := send(t, healing, key); again != id {
			t.Errorf("%s: a repeat during the outage made %s, the first was %s", key, again, id)
		}
		if again := send(t, whole, key); again != id {
			t.Errorf("%s: a repeat after the outage made %s, the first was %s", key, again, id)
		}
	}
	total := int64(0)
	for set := range w.Specs {
		made, kept := sentBy(t, w, set, "ann")
		total += made
		if set == 0 && made != 0 || set > 0 && kept != keys { // each key has two homes left
			t.Errorf("SET %d has %d envelopes and keeps %d keys", set, made, kept)
		}
	}
	if total != keys {
		t.Errorf("%d envelopes were made, want %d", total, keys)
	}
	if int(provider.placed.Load()) != 2*keys {
		t.Errorf("%d charges were placed, want the %d twice", provider.placed.Load(), keys)
	}
}

// FF2: no charge is placed for an envelope that is not committed.
func TestChargeFollowsTheCommit(t *testing.T) {
	w := servers.World(t, 2)
	teller, provider := tellerOn(t, w, w.Router)
	bySet := map[envelope.SetNumber]int{}
	for i := range 30 {
		bySet[send(t, teller, fmt.Sprint("key-", i)).Set()]++
	}
	for _, state := range provider.states {
		if state != envelope.Unpaid {
			t.Errorf("the provider was asked for an envelope that is %s", state)
		}
	}
	if len(provider.states) != 30 || len(bySet) != 2 {
		t.Errorf("%d charges for envelopes in %v", len(provider.states), bySet)
	}
}

// FH9: a key with other terms is refused, whichever SET holds it.
func TestReusedKeyIsRefusedInEverySET(t *testing.T) {
	w := servers.World(t, 2)
	teller, provider := tellerOn(t, w, w.Router)
	for i := range 10 {
		key := fmt.Sprint("key-", i)
		send(t, teller, key)
		placed := provider.placed.Load()
		other := orderOf(key)
		other.Total++
		if _, err := teller.Send(t.Context(), other); !errors.Is(err, envelope.ErrKeyReused) {
			t.Errorf("%s for another total: got %v, want ErrKeyReused", key, err)
		}
		if provider.placed.Load() != placed {
			t.Errorf("%s for another total was charged", key)
		}
		other = orderOf(key)
		other.Sender = "bob"
		if _, err := teller.Send(t.Context(), other); err != nil {
			t.Errorf("%s of another sender: %v", key, err)
		}
	}
}

func TestASendIsBusyWhenEverySETIsDown(t *testing.T) {
	w := servers.World(t, 1)
	dead := nobodyThere(t)
	cfg := configOf(w, "alone")
	cfg.Topology = topologyOf(t, w, func(specs []orderset.SetSpec) { specs[0].Primary = dead })
	teller, provider := tellerOn(t, w, newRouter(t, cfg))
	if _, err := teller.Send(t.Context(), orderOf("k")); !isBusy(err) || provider.placed.Load() != 0 {
		t.Errorf("got %v and %d charges, want busy and none", err, provider.placed.Load())
	}
}

// FA1: after the repeat of a send whose commit is lost there is one envelope in all SETs.
func TestSendWithALostCommitIsMadeOnce(t *testing.T) {
	w := servers.World(t, 2)
	for half, fault := range bothFaults {
		for i := range 6 {
			key := fmt.Sprint("key-", fault, "-", i)
			teller, _ := tellerOn(t, w, w.Router)
			first := w.Router.Candidates("ann", key)[0]
			proxy := w.Proxies[0]
			if first == w.Specs[1].Number {
				proxy = w.Proxies[1]
			}
			proxy.Lose(fault, "COMMIT")
			if _, err := teller.Send(t.Context(), orderOf(key)); err != nil && !errors.Is(err, envelope.ErrUnknownOutcome) {
				t.Fatalf("%s: %v", half, err)
			}
			id := send(t, teller, key)
			if id.Set() != first {
				t.Errorf("%s: the repeat made one in SET %v, want %v", half, id.Set(), first)
			}
			if again := send(t, teller, key); again != id {
				t.Errorf("%s: two envelopes, %s and %s", half, id, again)
			}
		}
	}
	one, _ := sentBy(t, w, 0, "ann")
	other, _ := sentBy(t, w, 1, "ann")
	if one+other != 12 {
		t.Errorf("12 keys made %d envelopes", one+other)
	}
}
