package soak

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"hongbao/envelope"
	"hongbao/loadtest/measure"
	"hongbao/reconcile"
)

// Reckoning is all books at one moment, when nothing is under way.
type Reckoning struct {
	Books     []measure.Books        `json:"books"`
	States    map[envelope.State]int `json:"envelopes_by_state"`
	Payouts   Sum                    `json:"payouts"` // posted
	Refunds   Sum                    `json:"refunds"` // posted
	Pending   Sum                    `json:"pending"`
	Held      []Held                 `json:"-"`
	Overdue   int                    `json:"overdue"`    // active or unpaid beyond their time
	Unsettled []envelope.ID          `json:"unsettled"`  // finished, all of it posted, and not settled
	UserBooks []string               `json:"user_books"` // what they break or tell wrongly
	Expected  Facts                  `json:"facts_owed"` // facts that the IM backend must have been notified of
	Received  Facts                  `json:"facts_told"` // and was notified of
	Astray    Astray                 `json:"events"`

	Differences []reconcile.Difference `json:"-"` // between our numbers and the provider's ledger
	Twice       []string               `json:"-"` // numbers under which the ledger itself moves money twice
	Disputes    []Dispute              `json:"-"`
}

// Sum is some transfers.
type Sum struct {
	Count int          `json:"count"`
	Fen   envelope.Fen `json:"fen"`
}

// Add counts one more.
func (s *Sum) Add(fen envelope.Fen) { s.Count, s.Fen = s.Count+1, s.Fen+fen }

// Held is a transfer that the provider has refused for good.
type Held struct {
	No     string
	Reason string
	Amount envelope.Fen
}

// Facts count what a receiver of events has received, each fact once.
type Facts struct {
	Active   int `json:"active"`
	Shares   int `json:"shares"`
	Finished int `json:"finished"`
	Refunded int `json:"refunded"`
}

func (f Facts) since(o Facts) Facts {
	return Facts{f.Active - o.Active, f.Shares - o.Shares, f.Finished - o.Finished, f.Refunded - o.Refunded}
}

// Astray counts what must not have happened to events.
type Astray struct {
	Disordered int `json:"disordered"`
	Refused    int `json:"refused"`
	Forgotten  int `json:"forgotten"` // envelopes whose order the receiver no longer watches
}

// Dispute is something that the provider said and our rows deny.
type Dispute struct {
	Number string
	What   string
	Known  bool         // the number is one of ours
	Over   envelope.Fen // the amount that the provider spoke of, less ours; 0 where it spoke of none
	Posted bool         // by our rows the money has moved
}

// The rules of a reckoning.
const (
	ruleDrained   = "nothing is owed at the end"
	ruleLedger    = "the provider's ledger and our orders agree, number by number (I7)"
	ruleTwice     = "money that moved twice is found, and nothing else is (I10)"
	ruleExplained = "every dispute is about a lie that was told"
	ruleNoticed   = "every lie that must be disputed is"
	ruleHeld      = "what is held is what the provider refused"
	ruleSettled   = "an envelope whose money has moved is settled"
	ruleUserBooks = "users' books say what the orders say"
	ruleEvents    = "the IM backend is told everything, in order"
	ruleRows      = "the books balance (I1)"
)

// Judgement is what a soak has left in the books: what the lies in it explain,
// and what nothing does.
type Judgement struct {
	Explained  map[string]int64       `json:"disputes_explained"` // by the lie they are about
	Held       map[string]Sum         `json:"held"`               // by reason
	MovedTwice []string               `json:"moved_twice,omitempty"`
	Findings   []reconcile.Difference `json:"findings"`
}

// judging compares two reckonings: what was there before explains nothing.
type judging struct {
	*Judgement
	before, after *Reckoning
	simulated     map[string]int64
}

// Judge holds the books after a soak to the faults that were simulated in it: each must have
// left behind what it must, no more and no less.
func (r *Reckoning) Judge(before *Reckoning, told map[string]int64) Judgement {
	j := &judging{&Judgement{Explained: map[string]int64{}, Findings: []reconcile.Difference{}}, before, r, told}
	j.rows()
	j.ledger()
	j.disputes()
	j.held()
	j.events()
	return *j.Judgement
}

func (j *judging) add(id envelope.ID, rule, format string, args ...any) {
	if len(j.Findings) < reconcile.DifferencesMax {
		j.Findings = append(j.Findings, reconcile.Difference{Rule: rule, Key: string(id), Have: fmt.Sprintf(format, args...)})
	}
}

func (j *judging) rows() {
	for _, b := range j.after.Books {
		for _, what := range b.Violations {
			j.add("", ruleRows, "SET %s: %s", b.Set, what)
		}
	}
	for _, what := range j.after.UserBooks {
		j.add("", ruleUserBooks, "%s", what)
	}
	for _, id := range j.after.Unsettled {
		j.add(id, ruleSettled, "all of it is posted")
	}
	if p := j.after.Pending; p.Count > 0 {
		j.add("", ruleDrained, "%d transfers of %d fen are pending", p.Count, p.Fen)
	}
	if n := j.after.Overdue; n > 0 {
		j.add("", ruleDrained, "%d envelopes are active or unpaid beyond their time", n)
	}
}

// ledger wants each number that moved twice to be found, and nothing else.
func (j *judging) ledger() {
	twice, found := fresh(j.before.Twice, j.after.Twice), map[string]bool{}
	j.MovedTwice = twice
	for _, d := range fresh(j.before.Differences, j.after.Differences) {
		if slices.Contains(twice, d.Key) && !found[d.Key] {
			found[d.Key] = true
			continue
		}
		j.add("", ruleLedger, "%v", d)
	}
	for _, no := range twice {
		if !found[no] {
			j.add("", ruleTwice, "%s moved twice, and the reconciliation says nothing of it", no)
		}
	}
	if told := j.simulated[lieTwice]; told != int64(len(twice)) {
		j.add("", ruleTwice, "%d numbers were to move twice, %d did", told, len(twice))
	}
}

// disputes wants one for each valid callback of a wrong amount and for each that
// takes a success back.
func (j *judging) disputes() {
	for _, d := range fresh(j.before.Disputes, j.after.Disputes) {
		switch {
		case d.Known && d.Over == 1:
			j.Explained[lieWrongAmount]++
		case d.Known && d.Over == 0 && d.Posted && j.simulated[lieContrary] > 0:
			j.Explained[lieContrary]++
		default:
			j.add("", ruleExplained, "%s: %s", d.Number, d.What)
		}
	}
	for _, lie := range []string{lieWrongAmount, lieContrary} {
		if j.Explained[lie] != j.simulated[lie] {
			j.add("", ruleNoticed, "%s was told %d times, and %d disputes are about it", lie, j.simulated[lie], j.Explained[lie])
		}
	}
}

func (j *judging) held() {
	refused := int64(0)
	for _, lie := range refusing() {
		refused += j.simulated[lie]
	}
	held := fresh(j.before.Held, j.after.Held)
	if j.Held = sums(held); int64(len(held)) != refused {
		j.add("", ruleHeld, "%d were refused, %d are held: %v", refused, len(held), j.Held)
	}
}

func (j *judging) events() {
	if j.after.Astray.Forgotten > j.before.Astray.Forgotten {
		return // the receiver got events of more envelopes than it can watch
	}
	owed, told := j.after.Expected.since(j.before.Expected), j.after.Received.since(j.before.Received)
	if owed != told {
		j.add("", ruleEvents, "owed %+v, told %+v", owed, told)
	}
	if n := j.after.Astray.Disordered - j.before.Astray.Disordered; n > 0 {
		j.add("", ruleEvents, "%d events broke the order of their envelope", n)
	}
	if n := j.after.Astray.Refused - j.before.Astray.Refused; n > 0 {
		j.add("", ruleEvents, "%d events were refused by their receiver", n)
	}
}

// fresh is what is in after and was not in before.
func fresh[T comparable](before, after []T) (added []T) {
	old := map[T]bool{}
	for _, one := range before {
		old[one] = true
	}
	for _, one := range after {
		if !old[one] {
			added = append(added, one)
		}
	}
	return added
}

// sums groups what is held by its reason.
func sums(all []Held) map[string]Sum {
	by := map[string]Sum{}
	for _, h := range all {
		s := by[h.Reason]
		s.Add(h.Amount)
		by[h.Reason] = s
	}
	return by
}

// Reasons are the reasons of what is held, the most frequent first.
func Reasons(by map[string]Sum) []string {
	return slices.SortedFunc(maps.Keys(by), func(a, b string) int {
		return cmp.Or(cmp.Compare(by[b].Count, by[a].Count), cmp.Compare(a, b))
	})
}

func (s Sum) String() string { return fmt.Sprintf("%d of %v", s.Count, s.Fen) }
