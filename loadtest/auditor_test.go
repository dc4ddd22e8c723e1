package loadtest

import (
	"slices"
	"testing"

	"hongbao/envelope"
	"hongbao/reconcile"
)

// told is a small history that a liar changes: envelope 0 is lucky, four
// shares, all taken; envelope 1 is equal, three shares, two taken, the second
// by a request whose answer was lost.
func told(t *testing.T) *History {
	t.Helper()
	key := testKey(t)
	h := &History{}
	for i := range 8 {
		h.Users = append(h.Users, testUser(i))
	}
	rec := func(gift, user int, sent, got int64, class Class) Record {
		return Record{Gift: int32(gift), User: int32(user), First: sent, Due: sent, Sent: sent, Got: got, Class: class, Status: 200}
	}
	lucky := []Record{
		rec(0, 0, 10, 20, Accepted), rec(0, 1, 15, 30, Accepted), rec(0, 2, 40, 50, Accepted), rec(0, 2, 60, 70, Accepted),
		rec(0, 3, 45, 80, Accepted), rec(0, 4, 90, 100, Accepted), rec(0, 5, 11, 12, RefusedFast), rec(0, 6, 13, 500, Unreached),
	}
	equal := []Record{rec(1, 0, 10, 20, Accepted), rec(1, 1, 30, 40, Unknown), rec(1, 2, 35, 36, RefusedSlow)}
	for gift, records := range [][]Record{lucky, equal} {
		e := envelope.Envelope{ID: testID(gift), Kind: envelope.Lucky, State: envelope.Active, Ver: 1, Total: 1000, Count: 4, ShareMax: 20_000}
		if gift == 1 {
			e.Kind, e.Total, e.Count = envelope.Equal, 300, 3
		}
		e.Commitment = key.Seed(e.ID).Commitment()
		e.ExpiresAt = e.ExpiresAt.AddDate(2000, 0, 0)
		held := map[envelope.UserID]envelope.Share{}
		var shares []envelope.Share
		for i := range records {
			if c := records[i].Class; c == Accepted || c == Unknown {
				e = decide(&records[i], e, key.Seed(e.ID), held, &shares)
			}
		}
		h.Records = append(h.Records, records...)
		h.Envelopes = append(h.Envelopes, Expected{ID: e.ID, Kind: e.Kind, Total: e.Total, Count: e.Count, Commitment: e.Commitment.Hex(), Shown: shownOf(&e, key.Seed(e.ID), shares)})
	}
	return h
}

// lie is a change to the history and the rule it must be found to break.
type lie struct {
	name string
	tell func(h *History)
	rule string
}

// Where the records of told stand.
const (
	first, second, third, repeat, fourth, late, refused = 0, 1, 2, 3, 4, 5, 6
	otherFirst, otherUnknown                            = 8, 9
)

func lies() []lie {
	empty := func(gift, user int32, sent, got int64) Record {
		return Record{Gift: gift, User: user, Sent: sent, Got: got, Class: Accepted, Outcome: Empty, Status: 200}
	}
	shares := func(h *History, gift int) []ShownShare { return h.Envelopes[gift].Shown.Shares }
	return []lie{
		{"a repeat is told another amount", func(h *History) { h.Records[repeat].Amount++ }, ruleOneAnswer},
		{"a repeat is told another position", func(h *History) { h.Records[repeat].Seq = 1 }, ruleOneAnswer},
		{"a repeat opens again", func(h *History) { h.Records[repeat].Outcome = Opened }, ruleOneOpen},
		{"one person holds two shares", func(h *History) { shares(h, 0)[3].User = testUser(0) }, ruleOneOpen},
		{"already opened, by nobody", func(h *History) { h.Records[first].Outcome = AlreadyOpened }, ruleOneOpen},
		{"a holder is told empty", func(h *History) { h.Records[repeat].Outcome = Empty }, ruleHolder},
		{"a holder is told expired", func(h *History) { h.Records[repeat].Outcome = Expired }, ruleHolder},
		{"one position is told to two people", func(h *History) { h.Records[second].Seq = h.Records[first].Seq }, ruleSeq},
		{"empty while a share is left", func(h *History) { h.Records = append(h.Records, empty(1, 4, 50, 60)) }, ruleEmpty},
		{"empty, and then somebody opens", func(h *History) { h.Records = append(h.Records, empty(0, 7, 31, 35)) }, ruleEmpty},
		{"the later one stands before the earlier", exchangePlaces, ruleOrder},
		{"an acknowledged share vanishes", func(h *History) { dropLast(h, 0) }, ruleKept},
		{"an acknowledged share changes", func(h *History) { shares(h, 1)[0].Amount++ }, ruleKept},
		{"an acknowledged share changes hands", func(h *History) { shares(h, 0)[1].User = testUser(5) }, ruleKept},
		{"the envelope is gone", func(h *History) { h.Envelopes[0].Shown = nil }, ruleKept},
		{"a share of somebody who did not ask", func(h *History) { shares(h, 1)[1].User = testUser(7) }, ruleGhost},
		{"a share of a stranger", func(h *History) { shares(h, 1)[1].User = "mallory" }, ruleGhost},
		{"a refused request took a share", func(h *History) { h.Records[otherUnknown].Class = RefusedFast }, ruleRefused},
		{"an unreached request took a share", func(h *History) { h.Records[otherUnknown].Class = Unreached }, ruleRefused},
		{"a gap in the positions", func(h *History) { shares(h, 1)[1].Seq = 3 }, ruleBooks},
		{"the header counts other shares", func(h *History) { h.Envelopes[1].Shown.OpenedCount++ }, ruleBooks},
		{"the header counts other money", func(h *History) { h.Envelopes[1].Shown.Remaining-- }, ruleBooks},
		{"a share leaves less than a fen for each", func(h *History) { shares(h, 1)[1].Amount = 200 }, ruleBooks},
		{"a share of nothing", func(h *History) { shares(h, 1)[1].Amount = 0 }, ruleBooks},
		{"a share of less than promised", func(h *History) { h.Envelopes[1].Shown.ShareMin = 101 }, ruleBooks},
		{"another least share is promised", func(h *History) { h.Envelopes[0].Shown.ShareMin = 2 }, ruleDraw},
		{"every share is taken, and it is active", func(h *History) { h.Envelopes[0].Shown.State = envelope.Active }, ruleBooks},
		{"it is empty, and a share is left", func(h *History) { h.Envelopes[1].Shown.State = envelope.Empty }, ruleBooks},
		{"another total", func(h *History) { h.Envelopes[0].Shown.Total++ }, ruleSame},
		{"another commitment", func(h *History) { h.Envelopes[0].Shown.Commitment = h.Envelopes[1].Commitment }, ruleSame},
		{"another seed", func(h *History) { h.Envelopes[0].Shown.Seed = anySeed() }, ruleDraw},
		{"no seed", func(h *History) { h.Envelopes[0].Shown.Seed = "" }, ruleDraw},
		{"other amounts, everywhere the same", exchangeAmounts, ruleDraw},
		{"the seed is told early", func(h *History) { h.Envelopes[1].Shown.Seed = anySeed() }, ruleSecret},
		{"the best luck is somebody else's", moveLuck, ruleLuck},
		{"expired before its time", func(h *History) { h.Records[late].Outcome = Expired }, ruleNotEarly},
		{"not found", func(h *History) {
			h.Records[late].Class, h.Records[late].Outcome, h.Records[late].Status = Wrong, Nothing, 404
		}, ruleContract},
		{"a send that fails", func(h *History) { h.Records = append(h.Records, Record{Act: Sending, Class: Wrong, Status: 500}) }, ruleContract},
		{"a refusal for ever", func(h *History) { h.Records[refused].Curt = true }, ruleRetry},
	}
}

// exchangePlaces gives the first and the third opener each other's share, in
// the answers and in the rows, so that only time tells.
func exchangePlaces(h *History) {
	s := h.Envelopes[0].Shown.Shares
	s[0].User, s[2].User = s[2].User, s[0].User
	for i := range h.Records[:late] {
		switch r := &h.Records[i]; r.User {
		case 0:
			r.Seq, r.Amount = 3, int32(s[2].Amount)
		case 2:
			r.Seq, r.Amount = 1, int32(s[0].Amount)
		}
	}
}

// exchangeAmounts moves a fen from one share to another, in the answers and in
// the rows, so that only the draw tells.
func exchangeAmounts(h *History) {
	h.Envelopes[0].Shown.Shares[0].Amount++
	h.Envelopes[0].Shown.Shares[1].Amount--
	h.Records[first].Amount++
	h.Records[second].Amount--
}

func moveLuck(h *History) {
	s := h.Envelopes[0].Shown.Shares
	best := slices.IndexFunc(s, func(one ShownShare) bool { return one.BestLuck })
	s[best].BestLuck, s[(best+1)%4].BestLuck = false, true
}

func dropLast(h *History, gift int) {
	s := h.Envelopes[gift].Shown
	last := s.Shares[len(s.Shares)-1]
	s.Shares = s.Shares[:len(s.Shares)-1]
	s.State, s.Seed = envelope.Active, ""
	s.OpenedCount, s.Opened, s.Remaining = s.OpenedCount-1, s.Opened-last.Amount, s.Remaining+last.Amount
}

func anySeed() string { return envelope.Seed{1, 2, 3}.Hex() }

func TestCorrectRunPassesTheAudit(t *testing.T) {
	v := told(t).Audit()
	if !v.Passed() {
		t.Fatalf("nothing was changed, and found is %v", v.Violations)
	}
	want := Verdict{Envelopes: 2, Requests: 11, Shares: 6, DrawsVerified: 1, UnknownTaken: 1}
	v.Violations = nil
	if v.Envelopes != want.Envelopes || v.Requests != want.Requests || v.Shares != want.Shares ||
		v.DrawsVerified != want.DrawsVerified || v.UnknownTaken != want.UnknownTaken || v.UnknownUntaken != want.UnknownUntaken {
		t.Errorf("the verdict counts %+v, want %+v", v, want)
	}
}

func TestEveryLieIsFound(t *testing.T) {
	for _, one := range lies() {
		h := told(t)
		one.tell(h)
		v := h.Audit()
		if !slices.ContainsFunc(v.Violations, func(v reconcile.Difference) bool { return v.Rule == one.rule }) {
			t.Errorf("%s: want %q broken, found %v", one.name, one.rule, v.Violations)
		}
	}
}

func TestEveryRuleOfAnAuditCatchesALie(t *testing.T) {
	told := map[string]bool{rulePaid: true, ruleRepeat: true} // the stage finds these on its way
	for _, one := range lies() {
		told[one.rule] = true
	}
	for _, rule := range []string{ruleContract, ruleRetry, ruleNotEarly, ruleOneAnswer, ruleOneOpen, ruleHolder, ruleSeq, ruleOrder, ruleEmpty,
		ruleKept, ruleGhost, ruleRefused, ruleBooks, ruleSame, ruleDraw, ruleSecret, ruleLuck, rulePaid, ruleRepeat} {
		if !told[rule] {
			t.Errorf("no lie is told about %q", rule)
		}
	}
}

func TestAVerdictIsBounded(t *testing.T) {
	h := told(t)
	for range 2 * reconcile.DifferencesMax {
		h.Records = append(h.Records, Record{Gift: 0, User: 4, Sent: 91, Got: 92, Class: Wrong, Status: 500})
	}
	v := h.Audit()
	if len(v.Violations) != reconcile.DifferencesMax {
		t.Errorf("%d violations are reported, want %d", len(v.Violations), reconcile.DifferencesMax)
	}
	sum := told(t).Audit()
	sum.Join(v)
	sum.Join(v)
	if len(sum.Violations) != reconcile.DifferencesMax || sum.Passed() || sum.Requests != 11+2*len(h.Records) {
		t.Errorf("joined: %d violations of %d requests", len(sum.Violations), sum.Requests)
	}
}
