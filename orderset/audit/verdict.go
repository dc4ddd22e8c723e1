package audit

import (
	"fmt"
	"time"

	"hongbao/envelope"
	"hongbao/orderset/layout"
	"hongbao/reconcile"
)

const (
	// openedLagMax is how long after its header a share's row may be stamped: both
	// are written in one packet, each with the clock of its own statement.
	openedLagMax = time.Second
	// expiryLagMax is how late an envelope may be expired.
	expiryLagMax = 10 * time.Minute
)

// violation is a difference between rows and an invariant, which says what it wants.
func violation(invariant string, id envelope.ID, format string, args ...any) reconcile.Difference {
	return reconcile.Difference{Rule: invariant, Key: string(id), Have: fmt.Sprintf(format, args...)}
}

// findings are what is wrong with one envelope.
type findings struct {
	id  envelope.ID
	all []reconcile.Difference
}

func (f *findings) add(invariant, format string, args ...any) {
	f.all = append(f.all, violation(invariant, f.id, format, args...))
}

// audit holds the rows of a page to each other. unspread are the envelopes whose
// transfers may be missing still.
func (a *Auditor) audit(p *page, unspread map[envelope.ID]bool) (found []reconcile.Difference) {
	shares, transfers, payments := p.shares, p.transfers, p.payments
	orphans := func(before envelope.ID) {
		for ; len(shares) > 0 && shares[0].ID < before; shares = shares[1:] {
			found = append(found, violation("I1", shares[0].ID, "a share without its envelope"))
		}
		for ; len(transfers) > 0 && transfers[0].OrderNo < before; transfers = transfers[1:] {
			found = append(found, violation("C3", transfers[0].OrderNo, "transfer %s without its envelope", transfers[0].No()))
		}
		for ; len(payments) > 0 && payments[0].id < before; payments = payments[1:] {
			found = append(found, violation("I7", payments[0].id, "payment %s without its envelope", payments[0].transaction))
		}
	}
	for i := range p.envelopes {
		e := &p.envelopes[i]
		orphans(e.ID)
		var mine []envelope.Share
		for ; len(shares) > 0 && shares[0].ID == e.ID; shares = shares[1:] {
			mine = append(mine, shares[0].Share)
		}
		var paid string
		for ; len(payments) > 0 && payments[0].id == e.ID; payments = payments[1:] {
			paid = payments[0].transaction
		}
		n := 0
		for n < len(transfers) && transfers[n].OrderNo == e.ID {
			n++
		}
		f := &findings{id: e.ID}
		a.auditHeader(f, p, e, mine)
		if paid != e.TransactionID {
			f.add("I7", "the header was paid by %q, by the SET's payments it was %q", e.TransactionID, paid)
		}
		f.auditRefund(e, transfers[:n])
		f.auditPayouts(e, mine, transfers[:n], unspread[e.ID])
		f.auditRounds(e, mine, transfers[:n], p.decisions)
		found = append(found, f.all...)
		transfers = transfers[n:]
	}
	orphans(layout.LastPossibleID + "~")
	return found
}

func (a *Auditor) auditHeader(f *findings, p *page, e *envelope.Envelope, shares []envelope.Share) {
	if id, err := envelope.ParseID(string(e.ID)); err != nil || layout.TableOf(id) != p.table {
		f.add("I9", "stands in %s, which is not its address", p.table.Envelopes())
	}
	if sum := f.auditShares(e, shares); sum != e.Opened || len(shares) != e.OpenedCount {
		f.add("I1", "the header says %d shares of %d fen, the rows %d of %d", e.OpenedCount, e.Opened, len(shares), sum)
	}
	if what := contradiction(e); what != "" {
		f.add("I8", "state %s with %d of %d shares opened, %d fen refunded and %d left: %s",
			e.State, e.OpenedCount, e.Count, e.Refunded, e.Remaining(), what)
	}
	if late := p.now.Sub(e.ExpiresAt); e.State == envelope.Active && late > expiryLagMax {
		f.add("X1", "its life has been over for %v, and %d fen are not on their way back", late.Round(time.Second), e.Remaining())
	}
	if a.seed != nil {
		if err := envelope.Verify(e, a.seed(e.ID), shares); err != nil {
			f.add("draw", "%v", err)
		}
	}
}

// auditShares holds the shares of one envelope, in the order of their positions,
// to its header, and returns what they add up to.
func (f *findings) auditShares(e *envelope.Envelope, shares []envelope.Share) (sum envelope.Fen) {
	seen, of := make(map[envelope.UserID]bool, len(shares)), e.Bounds()
	for i, s := range shares {
		sum += s.Amount
		switch {
		case seen[s.User]:
			f.add("I2", "user %s holds two shares", s.User)
		case !e.MayOpen(s.User):
			f.add("I2", "user %s holds a share that is for %s alone", s.User, e.Recipient)
		case s.Seq != i+1:
			f.add("I4", "share %d stands at position %d", i+1, s.Seq)
		case s.Amount < of.Min || s.Amount > of.Max:
			f.add("I5", "share %d is %d fen, promised were %d to %d", s.Seq, s.Amount, of.Min, of.Max)
		case e.Total-sum < envelope.Fen(e.Count-i-1)*of.Min || i+1 == e.Count && sum != e.Total:
			f.add("I5", "after share %d there are %d fen for %d shares", s.Seq, e.Total-sum, e.Count-i-1)
		case s.OpenedAt.Before(e.PaidAt):
			f.add("I6", "share %d was opened before the envelope was paid", s.Seq)
		case !s.OpenedAt.Before(e.ExpiresAt.Add(openedLagMax)):
			f.add("I6", "share %d was opened after the envelope expired", s.Seq)
		}
		seen[s.User] = true
	}
	return sum
}

// auditRefund holds the refund to the header: there is one, of all that is
// refunded, or none (X1, I6).
func (f *findings) auditRefund(e *envelope.Envelope, transfers []envelope.Transfer) {
	switch stored := len(transfers) > 0 && transfers[0].IsRefund(); {
	case !stored && e.Refunded > 0:
		f.add("X1", "%d fen are refunded, and no transfer brings them back", e.Refunded)
	case !stored:
	case transfers[0].Amount != e.Refunded:
		f.add("X1", "%d fen are refunded, the transfer is of %d", e.Refunded, transfers[0].Amount)
	case transfers[0].Payee != e.Sender || transfers[0].Charged != e.Total:
		f.add("X1", "the refund goes to %s out of %d fen, want the sender %s and %d", transfers[0].Payee, transfers[0].Charged, e.Sender, e.Total)
	}
}

// auditPayouts holds the transfers to the shares, one to one (C3), and to the
// state: settled is when all of them are posted.
func (f *findings) auditPayouts(e *envelope.Envelope, shares []envelope.Share, transfers []envelope.Transfer, unspread bool) {
	at, missing, unposted := make(map[int]*envelope.Share, len(shares)), len(shares), 0
	for i := range shares {
		at[shares[i].Seq] = &shares[i]
	}
	for i := range transfers {
		t := &transfers[i]
		if t.State != envelope.Posted {
			unposted++
		}
		if t.IsRefund() {
			continue
		}
		s := at[t.Seq]
		if s == nil {
			f.add("C3", "transfer %s of %d fen is for no share", t.No(), t.Amount)
			continue
		}
		missing--
		if t.Amount != s.Amount || t.Charged != e.Total {
			f.add("C3", "transfer %s is of %d out of %d fen, the share of %d out of %d", t.No(), t.Amount, t.Charged, s.Amount, e.Total)
		}
	}
	settled := e.State == envelope.Settled
	switch {
	case missing > 0 && (settled || !unspread):
		f.add("C3", "%d of %d shares have no transfer", missing, len(shares))
	case settled && unposted > 0:
		f.add("I8", "settled, and %d transfers are not posted", unposted)
	case !settled && e.State.Finished() && missing == 0 && unposted == 0:
		f.add("I8", "%s with every transfer posted, and not settled", e.State)
	}
}

// auditRounds holds each transfer to what was decided about it: every round after
// the first was begun by a decision, and the payee is the one whose money it is, or
// to whom the last of them has redirected it (I8).
func (f *findings) auditRounds(e *envelope.Envelope, shares []envelope.Share, transfers []envelope.Transfer, decisions map[layout.TransferKey][]decision) {
	for i := range transfers {
		t := &transfers[i]
		payee := e.Sender // of a refund; its payee is held to the header elsewhere
		if !t.IsRefund() {
			if t.Seq > len(shares) {
				continue // a transfer for no share
			}
			payee = shares[t.Seq-1].User
		}
		begun := make(map[int]*decision, t.Round)
		for j, d := range decisions[layout.KeyOf(t)] {
			if d.begins {
				begun[d.round] = &decisions[layout.KeyOf(t)][j]
			}
		}
		for round := 1; round < t.Round; round++ {
			switch d := begun[round]; {
			case d == nil:
				f.add("I8", "transfer %s is in round %d, and nobody has decided to begin round %d", t.No(), t.Round, round+1)
			case d.payee != "":
				payee = d.payee
			}
		}
		if t.Payee != payee && !t.IsRefund() {
			f.add("C3", "transfer %s pays %s, it is %s's by the share and the decisions", t.No(), t.Payee, payee)
		}
	}
}

// contradiction is what in a header cannot be true at the same time, or "".
func contradiction(e *envelope.Envelope) string {
	unpaid := e.State == envelope.Unpaid || e.State == envelope.Closed
	over := e.State == envelope.Expired || e.State == envelope.Settled
	paid := e.TransactionID != "" && !e.PaidAt.IsZero()
	switch {
	case unpaid && e.OpenedCount > 0:
		return "shares of what was never paid"
	case !unpaid && !paid:
		return "no payment is recorded"
	case e.State == envelope.Closed && (paid && e.Refunded != e.Total || !paid && e.Refunded != 0):
		return "what is paid too late goes back, all of it"
	case e.State == envelope.Active && e.OpenedCount == e.Count, e.State == envelope.Empty && e.OpenedCount != e.Count:
		return "empty is when the last share is opened"
	case e.Refunded < 0 || e.Refunded > 0 && !over && e.State != envelope.Closed:
		return "nothing is refunded before the end"
	case e.Remaining() < 0 || over && e.Remaining() != 0:
		return "what is left does not fit"
	case e.State.Finished() == e.FinishedAt.IsZero():
		return "it is finished when it has a time of finishing"
	}
	return ""
}
