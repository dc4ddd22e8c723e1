package loadtest

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"

	"hongbao/envelope"
	"hongbao/reconcile"
)

// The rules of the audit, as findings name them. Each says what must be true.
const (
	ruleContract  = "a request is answered as the contract says"
	ruleRetry     = "a refusal says when to ask again"
	ruleNotEarly  = "an envelope expires when its time has come"
	ruleOneAnswer = "a person is told the same share every time (I2)"
	ruleOneOpen   = "a person opens an envelope once (I2)"
	ruleHolder    = "who holds a share is told so (I2)"
	ruleSeq       = "a position belongs to one person (I4)"
	ruleOrder     = "who was answered before another asked stands before them (F2)"
	ruleEmpty     = "empty means that every share is taken"
	ruleKept      = "an acknowledged share is found unchanged (I3)"
	ruleGhost     = "a share belongs to someone who asked for it"
	ruleRefused   = "a refused request has no effect"
	ruleBooks     = "an envelope's numbers add up (I1, I4, I5)"
	ruleSame      = "an envelope is what was sent"
	ruleDraw      = "the draw is the one committed to at send"
	ruleSecret    = "the seed is secret until the envelope is finished"
	ruleLuck      = "the best luck is the largest share, the earliest on a tie"
	rulePaid      = "a paid envelope becomes active"
	ruleRepeat    = "a repeated send finds the first (I2)"
)

// History is everything a crowd asked and was answered, and what is shown at the end.
type History struct {
	Users     []envelope.UserID // by the number in the records
	Envelopes []Expected        // by the gift number in the records
	Records   []Record          // in any order
}

// Expected is one envelope as it was sent, and as it is shown at the end.
type Expected struct {
	ID         envelope.ID
	Kind       envelope.Kind
	Total      envelope.Fen
	Count      int
	Commitment string // hex, given at send
	Shown      *Shown // nil: there was no request about it
}

// Verdict is the result of an audit.
type Verdict struct {
	Envelopes      int                    `json:"envelopes"`
	Requests       int                    `json:"requests"`
	Shares         int                    `json:"shares"`
	DrawsVerified  int                    `json:"draws_verified"`
	UnknownTaken   int                    `json:"unknown_taken"`     // requests of unknown outcome whose share is there
	UnknownUntaken int                    `json:"unknown_not_taken"` // and those that had no effect
	Violations     []reconcile.Difference `json:"violations"`
	Samples        []string               `json:"samples,omitempty"` // wrong answers, verbatim
}

// Passed reports whether nothing was found.
func (v *Verdict) Passed() bool { return len(v.Violations) == 0 }

func (v *Verdict) add(id envelope.ID, rule, format string, args ...any) {
	if len(v.Violations) < reconcile.DifferencesMax {
		v.Violations = append(v.Violations, reconcile.Difference{Rule: rule, Key: string(id), Have: fmt.Sprintf(format, args...)})
	}
}

// Join adds what another audit of other envelopes found.
func (v *Verdict) Join(o *Verdict) {
	v.Envelopes += o.Envelopes
	v.Requests += o.Requests
	v.Shares += o.Shares
	v.DrawsVerified += o.DrawsVerified
	v.UnknownTaken += o.UnknownTaken
	v.UnknownUntaken += o.UnknownUntaken
	v.Violations = append(v.Violations, o.Violations[:min(len(o.Violations), reconcile.DifferencesMax-len(v.Violations))]...)
	v.Samples = append(v.Samples, o.Samples[:min(len(o.Samples), samplesMax-len(v.Samples))]...)
}

// Audit holds every answer against what it must have been. It takes O(n log n).
func (h *History) Audit() *Verdict {
	v := &Verdict{Requests: len(h.Records), Violations: []reconcile.Difference{}}
	numbers := make(map[envelope.UserID]int32, len(h.Users))
	for i, name := range h.Users {
		numbers[name] = int32(i)
	}
	h.checkDeals(v)
	for gift, records := range h.byGift() {
		o := &h.Envelopes[gift]
		c := &file{v: v, h: h, o: o, records: records}
		if o.Shown == nil {
			if len(records) > 0 {
				v.add(o.ID, ruleKept, "nobody could be shown the envelope at the end")
			}
			continue
		}
		v.Envelopes++
		c.checkAnswers()
		c.checkShown(numbers)
		c.checkPeople()
		c.checkPositions()
		c.checkOrder()
	}
	return v
}

// checkDeals looks at the answers to sends and payments.
func (h *History) checkDeals(v *Verdict) {
	for i := range h.Records {
		r := &h.Records[i]
		switch id := h.Envelopes[r.Gift].ID; {
		case r.Act == Opening:
		case r.Class == Wrong:
			v.add(id, ruleContract, "user %s: %s was answered %d", h.Users[r.User], r.Act, r.Status)
		case r.Curt:
			v.add(id, ruleRetry, "user %s: %s was answered %d without Retry-After", h.Users[r.User], r.Act, r.Status)
		}
	}
}

// byGift sorts the opens by envelope, person and time.
func (h *History) byGift() [][]Record {
	opens := make([][]Record, len(h.Envelopes))
	for i := range h.Records {
		if r := &h.Records[i]; r.Act == Opening {
			opens[r.Gift] = append(opens[r.Gift], *r)
		}
	}
	for _, records := range opens {
		slices.SortFunc(records, func(a, b Record) int { return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.Sent, b.Sent)) })
	}
	return opens
}

// file is the case of one envelope.
type file struct {
	v       *Verdict
	h       *History
	o       *Expected
	records []Record         // of the envelope, by person and time
	shares  map[int32]*share // by user
	order   []*share         // by position
}

// share is what one person is shown to hold, and when they can have taken it.
type share struct {
	seq    int
	amount envelope.Fen
	user   int32
	asked  int64 // when the earliest request was sent that can have taken it
}

func (c *file) add(rule, format string, args ...any) { c.v.add(c.o.ID, rule, format, args...) }

func (c *file) name(user int32) envelope.UserID { return c.h.Users[user] }

// checkAnswers looks at each answer by itself.
func (c *file) checkAnswers() {
	for i := range c.records {
		r := &c.records[i]
		switch {
		case r.Class == Wrong:
			c.add(ruleContract, "user %s was answered %d", c.name(r.User), r.Status)
		case r.Curt:
			c.add(ruleRetry, "user %s was answered %d without Retry-After", c.name(r.User), r.Status)
		case r.Outcome == Expired && c.o.Shown.State != envelope.Expired && c.o.Shown.State != envelope.Settled:
			c.add(ruleNotEarly, "user %s was told expired, but it is %s", c.name(r.User), c.o.Shown.State)
		case r.Outcome == Empty && c.o.Shown.OpenedCount < c.o.Count:
			c.add(ruleEmpty, "user %s was told empty, but %d of %d shares are taken", c.name(r.User), c.o.Shown.OpenedCount, c.o.Count)
		}
	}
}

// checkShown holds the final envelope against what was sent and against itself.
func (c *file) checkShown(numbers map[envelope.UserID]int32) {
	s := c.o.Shown
	if s.ID != c.o.ID || s.Kind != c.o.Kind || s.Total != c.o.Total || s.Count != c.o.Count || s.Commitment != c.o.Commitment {
		c.add(ruleSame, "sent as %s of %d fen in %d shares under %.16s…, shown as %s of %d fen in %d shares under %.16s…",
			c.o.Kind, c.o.Total, c.o.Count, c.o.Commitment, s.Kind, s.Total, s.Count, s.Commitment)
	}
	c.shares = make(map[int32]*share, len(s.Shares))
	var sum envelope.Fen
	least := max(1, s.ShareMin)
	for i, one := range s.Shares {
		sum += one.Amount
		user, known := numbers[one.User]
		switch {
		case one.Seq != i+1:
			c.add(ruleBooks, "share %d stands at position %d", i+1, one.Seq)
		case one.Amount < least || one.Amount > s.ShareMax || s.Total-sum < envelope.Fen(s.Count-i-1)*least:
			c.add(ruleBooks, "share %d of %d fen leaves %d fen for %d shares", one.Seq, one.Amount, s.Total-sum, s.Count-i-1)
		case !known:
			c.add(ruleGhost, "share %d is held by %s, whom nobody knows", one.Seq, one.User)
			continue
		case c.shares[user] != nil:
			c.add(ruleOneOpen, "user %s holds shares %d and %d", one.User, c.shares[user].seq, one.Seq)
		}
		held := &share{seq: one.Seq, amount: one.Amount, user: user}
		c.shares[user] = held
		c.order = append(c.order, held)
	}
	c.v.Shares += len(s.Shares)
	finished := s.State.Finished()
	if sum != s.Opened || len(s.Shares) != s.OpenedCount || s.Opened+s.Refunded+s.Remaining != s.Total ||
		len(s.Shares) > s.Count || len(s.Shares) == s.Count && (sum != s.Total || !finished) || s.State == envelope.Empty && len(s.Shares) != s.Count {
		c.add(ruleBooks, "%s: %d shares of %d fen, header %d of %d fen, refunded %d, remaining %d, total %d in %d",
			s.State, len(s.Shares), sum, s.OpenedCount, s.Opened, s.Refunded, s.Remaining, s.Total, s.Count)
	}
	c.checkDraw(finished)
}

// checkDraw recomputes a finished envelope from its revealed seed.
func (c *file) checkDraw(finished bool) {
	s := c.o.Shown
	if !finished {
		if s.Seed != "" {
			c.add(ruleSecret, "it is %s and shows its seed", s.State)
		}
		return
	}
	e := envelope.Envelope{ID: c.o.ID, Kind: c.o.Kind, State: s.State, Total: c.o.Total, Count: c.o.Count, ShareMin: s.ShareMin, ShareMax: s.ShareMax,
		Opened: s.Opened, OpenedCount: s.OpenedCount, Refunded: s.Refunded}
	if n, err := hex.Decode(e.Commitment[:], []byte(c.o.Commitment)); err != nil || n != len(e.Commitment) {
		c.add(ruleDraw, "the commitment given at send is not 64 hex digits")
		return
	}
	shares := make([]envelope.Share, len(s.Shares))
	for i, one := range s.Shares {
		shares[i] = envelope.Share{Seq: one.Seq, User: one.User, Amount: one.Amount}
	}
	seed, err := envelope.ParseSeed(s.Seed)
	if err == nil {
		err = envelope.Verify(&e, seed, shares)
	}
	if err != nil {
		c.add(ruleDraw, "%v", err)
		return
	}
	c.v.DrawsVerified++
	best := envelope.BestLuck(&e, shares)
	for _, one := range s.Shares {
		if one.BestLuck != (one.Seq == best) {
			c.add(ruleLuck, "share %d says %v, the best is share %d", one.Seq, one.BestLuck, best)
		}
	}
}
