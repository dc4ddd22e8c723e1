package reconcile

import (
	"context"
	"fmt"

	"hongbao/envelope"
)

// Movement is money that the provider says it has moved, once a line: from its
// bills, or from a simulator's ledger.
type Movement struct {
	No         string // out_trade_no, out_refund_no or out_bill_no
	Amount     envelope.Fen
	ProviderNo string
	// Unreadable is why a line of a bill makes no sense; No is the line then.
	Unreadable string
}

// Claim is what our books say of one provider number.
type Claim struct {
	No         string
	Amount     envelope.Fen
	ProviderNo string // "" while it is not known
	Certainty  Certainty
}

// Certainty is what a claim says has become of the money.
type Certainty int

// The certainties.
const (
	Open  Certainty = iota // pending: moved or not, there is no answer yet
	Done                   // moved
	Never                  // refused for good
)

// The rules of the comparison with the provider.
const (
	ruleNumber     = "number (I7)"       // a number of ours is used once
	ruleProviderNo = "provider's number" // it is of one movement, the same in both books
	ruleKnown      = "known"             // what moved has a number of ours
	ruleMovedOnce  = "moved once"        // under a number
	ruleRefused    = "refused"           // what was refused has not moved
	ruleAmount     = "amount"            // both books say the same
	ruleMoved      = "moved"             // what our books say has moved is in theirs
	ruleReadable   = "line of the bill"  // it can be made out
)

// Provider compares our books with the provider's, number by number.
type Provider struct {
	// Movements reads the provider's books.
	Movements func(ctx context.Context, moved func(Movement)) error

	claims map[string]*claimed
	theirs map[providerNo]string // our number that claims it
	found  Found
}

type claimed struct {
	Claim
	moved int
}

// providerNo is a number of the provider's: of a payment, or of a transfer. What
// numbers those are among each other is the provider's affair.
type providerNo struct {
	transfer bool
	no       string
}

// Name is "provider".
func (p *Provider) Name() string { return "provider" }

// Visit claims an envelope's payment and its transfers.
func (p *Provider) Visit(s *envelope.Statement, transfers []envelope.Transfer) {
	ClaimsOf(&s.Envelope, transfers, p.Claim)
}

// Claim takes one line of our books.
func (p *Provider) Claim(c Claim) {
	if p.claims == nil {
		p.claims = map[string]*claimed{}
	}
	if p.claims[c.No] != nil {
		p.found.Add(Difference{ruleNumber, c.No, "used once", "our books use it twice"})
		return
	}
	p.claims[c.No] = &claimed{Claim: c}
	if c.ProviderNo != "" {
		p.claimTheirs(c)
	}
}

// claimTheirs finds money of the provider's that our books count twice. Within a
// SET a key prevents that for payments; between SETs nothing but this finds it.
func (p *Provider) claimTheirs(c Claim) {
	_, _, _, err := envelope.ParseTransferNo(c.No)
	theirs := providerNo{transfer: err == nil, no: c.ProviderNo}
	if other, taken := p.theirs[theirs]; taken {
		p.found.Add(Difference{ruleProviderNo, c.No, fmt.Sprintf("%q for it alone", c.ProviderNo), "that of " + other + " too"})
		return
	}
	if p.theirs == nil {
		p.theirs = map[providerNo]string{}
	}
	p.theirs[theirs] = c.No
}

// Moved takes one line of the provider's.
func (p *Provider) Moved(m Movement) {
	moved := fmt.Sprintf("%d fen moved", m.Amount)
	if m.Unreadable != "" {
		p.found.Add(Difference{ruleReadable, m.No, "one that can be made out", m.Unreadable})
		return
	}
	c := p.claims[m.No]
	if c == nil {
		p.found.Add(Difference{ruleKnown, m.No, "a number of our books", moved})
		return
	}
	c.moved++
	switch {
	case c.moved == 2:
		p.found.Add(Difference{ruleMovedOnce, m.No, "moved once", "moved twice"})
	case c.moved > 2: // said already
	case c.Certainty == Never:
		p.found.Add(Difference{ruleRefused, m.No, "nothing moved", moved})
	case m.Amount != c.Amount:
		p.found.Add(Difference{ruleAmount, m.No, fmt.Sprintf("%d fen", c.Amount), moved})
	case c.ProviderNo != "" && c.ProviderNo != m.ProviderNo:
		p.found.Add(Difference{ruleProviderNo, m.No, fmt.Sprintf("%q", c.ProviderNo), fmt.Sprintf("%q", m.ProviderNo)})
	}
}

// Compare reads the provider's books. Money that is pending with us and has moved
// is no difference.
func (p *Provider) Compare(ctx context.Context, whole bool) ([]Difference, error) {
	if !whole {
		return nil, ErrPartly
	}
	if err := p.Movements(ctx, p.Moved); err != nil {
		return nil, err
	}
	for _, c := range p.claims {
		if c.Certainty == Done && c.moved == 0 {
			p.found.Add(Difference{ruleMoved, c.No, fmt.Sprintf("%d fen moved", c.Amount), "nothing in the provider's books"})
		}
	}
	return p.found, nil
}

// ClaimsOf is what an envelope and its transfers claim of the provider.
func ClaimsOf(e *envelope.Envelope, transfers []envelope.Transfer, claim func(Claim)) {
	if e.TransactionID != "" {
		claim(Claim{No: string(e.ID), Amount: e.Total, ProviderNo: e.TransactionID, Certainty: Done})
	}
	for i := range transfers {
		t := &transfers[i]
		claim(Claim{No: t.No(), Amount: t.Amount, ProviderNo: t.ProviderNo,
			Certainty: map[envelope.TransferState]Certainty{envelope.Pending: Open, envelope.Stuck: Open, envelope.Posted: Done, envelope.Held: Never}[t.State]})
	}
}
