package envelope

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

// shaky is three homes of one key, and the provider. Each question may fail before
// or after its effect; a send may die between any two.
type shaky struct {
	mu       sync.Mutex // guards the fields below
	rand     *rand.Rand
	fails    int               // of 100 questions
	forgets  bool              // the control: a later claim replaces the first
	held     map[int]KeyRecord // by home
	made     map[ID]Envelope
	bodies   int
	charged  map[ID]bool
	answered int
}

var errShaky = &BusyError{Reason: "shaky", RetryAfter: keyRetry}

// ask runs an effect that may not happen, or happen without an answer. The lock is
// given back between questions, so those of different sends interleave.
func (s *shaky) ask(effect func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, after := s.rand.IntN(100) < s.fails, s.rand.IntN(100) < s.fails
	if before {
		return errShaky
	}
	err := effect()
	if after {
		return errShaky
	}
	return err
}

func (s *shaky) Mint(context.Context) (Body, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bodies++
	return idAt(s.bodies).Body(), nil
}

func (s *shaky) Candidates(UserID, string) []SetNumber {
	s.mu.Lock()
	defer s.mu.Unlock()
	sets := []SetNumber{0, 1, 2}
	if s.fails > 0 { // as health may order them
		s.rand.Shuffle(len(sets), func(i, j int) { sets[i], sets[j] = sets[j], sets[i] })
	}
	return sets
}

func (s *shaky) KeyHomes(sender UserID, key string) (homes []KeyHome) {
	for _, set := range s.Candidates(sender, key) {
		homes = append(homes, KeyHome{Set: set})
	}
	return homes
}

// shakyHome is one home of the key.
type shakyHome struct {
	*shaky
	home KeyHome
}

func (s *shaky) Keys(home KeyHome) (Keys, error) { return shakyHome{s, home}, nil }

func (s *shaky) Ledger(SetNumber) (Ledger, error) { return s, nil }

func (s shakyHome) FindKey(_ context.Context, _ UserID, _ string) (r KeyRecord, err error) {
	err = s.ask(func() error {
		there, ok := s.held[int(s.home.Set)]
		if r = there; !ok {
			return ErrNotFound
		}
		return nil
	})
	return r, err
}

func (s shakyHome) ClaimKey(_ context.Context, r KeyRecord) (KeyRecord, error) {
	err := s.ask(func() error { r = s.keep(int(s.home.Set), r); return nil })
	return r, err
}

func (s *shaky) keep(home int, r KeyRecord) KeyRecord {
	if there, ok := s.held[home]; ok && !s.forgets {
		return there
	}
	s.held[home] = r
	return r
}

func (s *shaky) Create(_ context.Context, n Sending) (r KeyRecord, err error) {
	err = s.ask(func() error {
		if r = s.keep(int(n.Envelope.ID.Set()), n.Record()); r.ID == n.Envelope.ID {
			s.made[r.ID] = n.Envelope
		}
		return nil
	})
	return r, err
}

func (s *shaky) Sent(_ context.Context, id ID) (e Envelope, err error) {
	err = s.ask(func() error {
		there, ok := s.made[id]
		if e = there; !ok {
			return errors.New("a record names an envelope that was never made")
		}
		return nil
	})
	return e, err
}

func (s *shaky) Prepay(_ context.Context, c Charge) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.charged[c.OrderNo] = true
	s.answered++
	return "pay://", nil
}

// The rest of what a teller needs, and no send asks for.
func (s *shaky) Pay(context.Context, Payment) (Envelope, error)                 { return Envelope{}, ErrNotFound }
func (s *shaky) Find(context.Context, ID) (Snapshot, error)                     { return Snapshot{}, ErrNotFound }
func (s *shaky) Peek(context.Context, ID, UserID) (Snapshot, error)             { return Snapshot{}, ErrNotFound }
func (s *shaky) Transfers(context.Context, ID, UserID, int) ([]Transfer, error) { return nil, nil }
func (s *shaky) Again(context.Context, ID, int, UserID) (Transfer, error) {
	return Transfer{}, ErrNotFound
}
func (s *shaky) Open(context.Context, OpenRequest) (Opening, error) { return Opening{}, ErrNotFound }

// sendAll lets some senders repeat one key at the same time, and returns how many
// envelopes have been charged for and how often a send was answered.
func sendAll(t *testing.T, seed uint64, fails int, forgets bool) (charged, answered int) {
	t.Helper()
	s := &shaky{rand: rand.New(rand.NewPCG(seed, 0)), fails: fails, forgets: forgets,
		held: map[int]KeyRecord{}, made: map[ID]Envelope{}, charged: map[ID]bool{}}
	teller := must(NewTeller(TellerConfig{Placement: s, Provider: s, DrawKey: drawKey(), Tickets: someTickets(),
		Limits: DefaultLimits(), Now: noon}))
	const senders, repeats = 4, 5
	var sending sync.WaitGroup
	for range senders {
		sending.Go(func() {
			for range repeats {
				_, err := teller.Send(context.Background(), luckyOrder(1000, 10))
				if err != nil && !isBusy(err) && !errors.Is(err, ErrKeyReused) {
					t.Error(err)
				}
			}
		})
	}
	sending.Wait()
	return len(s.charged), s.answered
}

// FS2: whatever fails, and whatever is sent at the same time, at most one envelope of
// a key is ever charged for.
func TestAKeyIsChargedForOnce(t *testing.T) {
	const rounds = 150
	for _, fails := range []int{0, 10, 30, 50} {
		t.Run(fmt.Sprintf("%d of 100 fail", fails), func(t *testing.T) {
			t.Parallel()
			sent := 0
			for seed := range uint64(rounds) {
				charged, answered := sendAll(t, seed, fails, false)
				if charged > 1 {
					t.Errorf("seed %d: %d envelopes of one key were charged for", seed, charged)
				}
				sent += answered
			}
			if fails == 0 && sent != rounds*20 {
				t.Errorf("%d of %d sends were answered with nothing in their way", sent, rounds*20)
			}
			if sent == 0 {
				t.Error("no send was ever answered")
			}
		})
	}
	t.Run("the control: homes that forget", func(t *testing.T) {
		for seed := range uint64(rounds) {
			if charged, _ := sendAll(t, seed, 30, true); charged > 1 {
				return
			}
		}
		t.Error("homes that replace records are never caught")
	})
}
