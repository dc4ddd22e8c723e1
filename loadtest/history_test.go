package loadtest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"hongbao/envelope"
)

// A believable service in memory: it decides with the domain, at one instant
// within each request, and its answers are the truth.

func testKey(t testing.TB) envelope.DrawKey {
	t.Helper()
	key, err := envelope.NewDrawKey([]byte("a draw key for tests, long enough"))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// attempt is a request with the instant at which it takes effect; none: it was
// refused, or never arrived.
type attempt struct {
	rec    Record
	effect int64
}

// believable is one envelope of a random history.
func believable(r *rand.Rand, key envelope.DrawKey, gift, users int) (Expected, []Record) {
	e := envelope.Envelope{ID: testID(gift), Kind: envelope.Lucky, State: envelope.Active, Ver: 1, Count: 1 + r.IntN(12), ShareMax: 20_000}
	e.Total = envelope.Fen(e.Count + r.IntN(5000))
	if r.IntN(4) == 0 {
		e.Kind, e.Total = envelope.Equal, envelope.Fen(e.Count*(1+r.IntN(300)))
	}
	e.Commitment = key.Seed(e.ID).Commitment()
	e.ExpiresAt = time.Unix(1<<40, 0)
	attempts := attempts(r, gift, users)
	slices.SortFunc(attempts, func(a, b attempt) int { return cmp.Compare(a.effect, b.effect) })
	held := map[envelope.UserID]envelope.Share{}
	var shares []envelope.Share
	records := make([]Record, 0, len(attempts))
	for _, a := range attempts {
		if a.effect > 0 {
			e = decide(&a.rec, e, key.Seed(e.ID), held, &shares)
		}
		records = append(records, a.rec)
	}
	o := Expected{ID: e.ID, Kind: e.Kind, Total: e.Total, Count: e.Count, Commitment: e.Commitment.Hex()}
	if len(records) > 0 {
		o.Shown = shownOf(&e, key.Seed(e.ID), shares)
	}
	return o, records
}

// attempts are what some people do, overlapping at random.
func attempts(r *rand.Rand, gift, users int) (all []attempt) {
	for range r.IntN(30) {
		sent := 1 + r.Int64N(1000)
		got := sent + 2 + r.Int64N(200)
		a := attempt{rec: Record{First: sent, Due: sent, Sent: sent, Got: got, Gift: int32(gift), User: int32(r.IntN(users)), Status: 200}}
		switch r.IntN(10) {
		case 0:
			a.rec.Class, a.rec.Status = RefusedFast, 503
		case 1:
			a.rec.Class, a.rec.Status = Unreached, 0
		case 2:
			a.rec.Class, a.rec.Status = Unknown, 504
			if r.IntN(2) == 0 {
				a.effect = sent + r.Int64N(400) // perhaps long after the caller gave up
			}
		default:
			a.effect = sent + 1 + r.Int64N(got-sent-1)
		}
		all = append(all, a)
	}
	return all
}

// decide lets a request take effect and completes its record.
func decide(rec *Record, e envelope.Envelope, seed envelope.Seed, held map[envelope.UserID]envelope.Share, shares *[]envelope.Share) envelope.Envelope {
	user := testUser(int(rec.User))
	had := func(u envelope.UserID) (envelope.Share, bool) { s, ok := held[u]; return s, ok }
	after, openings := envelope.Decide(e, seed, []envelope.UserID{user}, had, time.Unix(0, 0))
	if o := openings[0]; o.Outcome == envelope.Opened {
		held[user] = o.Share
		*shares = append(*shares, o.Share)
	}
	if rec.Class == Accepted {
		rec.Outcome, _ = outcomeOf(openings[0].Outcome)
		rec.Amount, rec.Seq = int32(openings[0].Share.Amount), int16(openings[0].Share.Seq)
	}
	return after
}

func shownOf(e *envelope.Envelope, seed envelope.Seed, shares []envelope.Share) *Shown {
	s := &Shown{ID: e.ID, Kind: e.Kind, State: e.State, Total: e.Total, Count: e.Count, ShareMin: e.ShareMin, ShareMax: e.ShareMax, Opened: e.Opened,
		OpenedCount: e.OpenedCount, Remaining: e.Remaining(), Commitment: e.Commitment.Hex()}
	if e.State.Finished() {
		s.Seed = seed.Hex()
	}
	best := envelope.BestLuck(e, shares)
	for _, one := range shares {
		s.Shares = append(s.Shares, ShownShare{User: one.User, Amount: one.Amount, Seq: one.Seq, BestLuck: one.Seq == best})
	}
	return s
}

func testUser(i int) envelope.UserID { return envelope.UserID(fmt.Sprintf("u%d", i)) }

func testID(i int) envelope.ID { return envelope.Body(1<<50 + i).In(7) }

// honest is a random history in which every answer is true.
func honest(t testing.TB, seed uint64) *History {
	r, key := newRand(seed, "history"), testKey(t)
	h := &History{}
	for i := range 15 {
		h.Users = append(h.Users, testUser(i))
	}
	for gift := range 8 {
		o, records := believable(r, key, gift, len(h.Users))
		h.Envelopes = append(h.Envelopes, o)
		h.Records = append(h.Records, records...)
	}
	return h
}

func TestAnHonestHistoryPasses(t *testing.T) {
	shares, draws, unknown := 0, 0, 0
	for seed := range uint64(1000) {
		v := honest(t, seed).Audit()
		if !v.Passed() {
			t.Fatalf("seed %d: %v", seed, v.Violations)
		}
		shares, draws, unknown = shares+v.Shares, draws+v.DrawsVerified, unknown+v.UnknownTaken
	}
	if shares < 10_000 || draws < 500 || unknown < 500 {
		t.Errorf("the histories hold %d shares, %d finished draws and %d taken by requests of unknown outcome: too tame", shares, draws, unknown)
	}
}

// Rows changed unseen by the service: each change must be found.
func TestAThousandChangedRowsAreFound(t *testing.T) {
	found := 0
	for seed := uint64(0); found < 1000; seed++ {
		h := honest(t, seed)
		r := newRand(seed, "mutation")
		s := h.Envelopes[r.IntN(len(h.Envelopes))].Shown
		if s == nil || len(s.Shares) == 0 {
			continue
		}
		i := r.IntN(len(s.Shares))
		what := mutate(r, s, i)
		if what == "" {
			continue
		}
		if v := h.Audit(); v.Passed() {
			t.Fatalf("seed %d: %s of share %d of %s was not found", seed, what, i+1, s.ID)
		}
		found++
	}
}

func mutate(r *rand.Rand, s *Shown, i int) string {
	switch r.IntN(5) {
	case 0:
		s.Shares[i].Amount++
		return "a fen more"
	case 1:
		s.Shares[i].Amount--
		return "a fen less"
	case 2:
		s.Shares = slices.Delete(s.Shares, i, i+1)
		return "the deletion"
	case 3:
		s.Shares = append(s.Shares, s.Shares[i])
		return "the duplication"
	}
	if j := r.IntN(len(s.Shares)); j != i {
		s.Shares[i].Seq, s.Shares[j].Seq = s.Shares[j].Seq, s.Shares[i].Seq
		return "the exchange"
	}
	return ""
}
