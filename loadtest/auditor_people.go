package loadtest

import (
	"cmp"
	"math"
	"slices"

	"hongbao/envelope"
)

// checkPeople looks at each person's answers together, and at what they hold.
func (c *file) checkPeople() {
	for from := 0; from < len(c.records); {
		to := from + 1
		for to < len(c.records) && c.records[to].User == c.records[from].User {
			to++
		}
		c.checkPerson(c.records[from:to])
		from = to
	}
	for _, held := range c.order {
		if held.asked == 0 {
			c.add(ruleGhost, "share %d is held by %s, who did not ask", held.seq, c.name(held.user))
		}
	}
}

// checkPerson audits all requests of one person for the envelope.
func (c *file) checkPerson(mine []Record) {
	user := mine[0].User
	held := c.shares[user]
	var told *Record // the first answer with a share
	var opened, unknown int
	effect := int64(math.MaxInt64) // when the earliest request was sent that can have taken effect
	for i := range mine {
		r := &mine[i]
		switch r.Class {
		case Unknown, Wrong:
			unknown++
			effect = min(effect, r.Sent)
		case RefusedFast, RefusedSlow, Unreached:
			continue
		}
		switch r.Outcome {
		case Opened:
			opened++
			effect = min(effect, r.Sent)
		case AlreadyOpened:
			c.checkOpener(r, mine)
		case Empty, Expired:
			if held != nil {
				c.add(ruleHolder, "user %s holds share %d and was told %s", c.name(user), held.seq, r.Outcome)
			}
			continue
		default:
			continue
		}
		if told == nil {
			told = r
		}
		c.checkAgrees(told, r, held)
	}
	if opened > 1 {
		c.add(ruleOneOpen, "user %s was told %d times to have opened it", c.name(user), opened)
	}
	c.settle(held, user, effect, opened, unknown)
}

// checkAgrees compares an answer with a share to the person's first one, and to
// what is shown.
func (c *file) checkAgrees(told, r *Record, held *share) {
	name := c.name(r.User)
	if r.Seq != told.Seq || r.Amount != told.Amount {
		c.add(ruleOneAnswer, "user %s was told share %d of %d fen and share %d of %d fen", name, told.Seq, told.Amount, r.Seq, r.Amount)
	}
	switch {
	case held == nil:
		c.add(ruleKept, "user %s was told share %d of %d fen; it is not there", name, r.Seq, r.Amount)
	case held.seq != int(r.Seq) || held.amount != envelope.Fen(r.Amount):
		c.add(ruleKept, "user %s was told share %d of %d fen; shown is share %d of %d fen", name, r.Seq, r.Amount, held.seq, held.amount)
	}
}

// checkOpener looks for the request that took the share which r says was there.
func (c *file) checkOpener(r *Record, mine []Record) {
	for i := range mine {
		o := &mine[i]
		if o != r && o.Sent < r.Got && (o.Outcome == Opened || o.Class == Unknown || o.Class == Wrong) {
			return
		}
	}
	c.add(ruleOneOpen, "user %s was told already_opened, but no request of theirs can have opened it", c.name(r.User))
}

// settle finds out when a held share was asked for, and what became of the
// requests of unknown outcome.
func (c *file) settle(held *share, user int32, effect int64, opened, unknown int) {
	if held == nil {
		c.v.UnknownUntaken += unknown
		return
	}
	if effect == math.MaxInt64 {
		c.add(ruleRefused, "user %s holds share %d, and every request of theirs was refused or told otherwise", c.name(user), held.seq)
		held.asked = 1
		return
	}
	held.asked = max(1, effect)
	if opened == 0 { // so one of the unknown ones took it
		c.v.UnknownTaken++
		unknown--
	}
	c.v.UnknownUntaken += unknown
}

// checkPositions looks for one position in answers to two people.
func (c *file) checkPositions() {
	owner := map[int16]int32{}
	for i := range c.records {
		r := &c.records[i]
		if r.Outcome != Opened && r.Outcome != AlreadyOpened {
			continue
		}
		if other, ok := owner[r.Seq]; ok && other != r.User {
			c.add(ruleSeq, "share %d was told to %s and to %s", r.Seq, c.name(other), c.name(r.User))
		}
		owner[r.Seq] = r.User
	}
}

// checkOrder holds positions against real time. An answer that tells share n
// proves that n shares were taken when it came; so a request sent later can
// only have taken a later one, and none at all after an answer of empty.
// One sweep over requests and answers by time finds every violation.
func (c *file) checkOrder() {
	type answer struct {
		got int64
		seq int
	}
	var answers []answer
	for i := range c.records {
		switch r := &c.records[i]; r.Outcome {
		case Opened, AlreadyOpened:
			answers = append(answers, answer{r.Got, int(r.Seq)})
		case Empty:
			answers = append(answers, answer{r.Got, math.MaxInt})
		}
	}
	slices.SortFunc(answers, func(a, b answer) int { return cmp.Compare(a.got, b.got) })
	byAsked := slices.SortedFunc(slices.Values(c.order), func(a, b *share) int { return cmp.Compare(a.asked, b.asked) })
	highest, next := 0, 0
	for _, held := range byAsked {
		for ; next < len(answers) && answers[next].got < held.asked; next++ {
			highest = max(highest, answers[next].seq)
		}
		switch {
		case highest == math.MaxInt:
			c.add(ruleEmpty, "user %s took share %d after somebody was told empty", c.name(held.user), held.seq)
		case held.seq < highest:
			c.add(ruleOrder, "user %s asked after share %d was told, and took share %d", c.name(held.user), highest, held.seq)
		}
	}
}
