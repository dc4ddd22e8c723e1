package reconcile

import (
	"context"
	"fmt"

	"hongbao/envelope"
	"hongbao/orderset"
)

// Movement is money that the provider says it has moved, once a line: from its
// bills, or from a simulator's ledger.
type Movement struct {
	No         string // out_trade_no, out_refund_no or out_bill_no
	Amount     envelope.Fen
	ProviderNo string
}

// Claim is what our books say of one provider number.
type Claim struct {
	No         string
	Amount     envelope.Fen
	ProviderNo string // "" when it was never told
	Certainty  Certainty
}

// Certainty is what a claim says has become of the money.
type Certainty int

// The certainties.
const (
	Open  Certainty = iota // owed: moved or not, we have not heard
	Done                   // moved
	Never                  // refused for good
)

// Difference is one way in which the provider's books and ours disagree.
type Difference struct {
	No   string `json:"no"`
	What string `json:"what"`
}

func (d Difference) String() string { return d.No + ": " + d.What }

// differencesMax bounds what one comparison reports: a thousand are as bad as
// more.
const differencesMax = 1000

// Provider compares our books with the provider's, number by number. The zero
// value is ready; give it all claims, then all movements, then ask.
type Provider struct {
	claims map[string]*claimed
	theirs map[providerNo]string // our number that claims it
	found  []Difference
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

// Claim takes one line of our books.
func (p *Provider) Claim(c Claim) {
	if p.claims == nil {
		p.claims = map[string]*claimed{}
	}
	if p.claims[c.No] != nil {
		p.add(c.No, "our books use the number twice (I7)")
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
		p.add(c.No, "the provider's %q is that of %s too", c.ProviderNo, other)
		return
	}
	if p.theirs == nil {
		p.theirs = map[providerNo]string{}
	}
	p.theirs[theirs] = c.No
}

// Moved takes one line of the provider's.
func (p *Provider) Moved(m Movement) {
	c := p.claims[m.No]
	if c == nil {
		p.add(m.No, "the provider moved %d fen under a number that our books do not know", m.Amount)
		return
	}
	c.moved++
	switch {
	case c.moved == 2:
		p.add(m.No, "the provider moved it twice")
	case c.moved > 2: // said already
	case c.Certainty == Never:
		p.add(m.No, "the provider moved %d fen that it had refused to move", m.Amount)
	case m.Amount != c.Amount:
		p.add(m.No, "the provider moved %d fen, our books say %d", m.Amount, c.Amount)
	case c.ProviderNo != "" && c.ProviderNo != m.ProviderNo:
		p.add(m.No, "the provider calls it %q, our books %q", m.ProviderNo, c.ProviderNo)
	}
}

// Differences is what disagrees, at most a thousand lines of it. What is owed
// and has moved without our having heard is no difference.
func (p *Provider) Differences() []Difference {
	for _, c := range p.claims {
		if c.Certainty == Done && c.moved == 0 {
			p.add(c.No, "our books say %d fen have moved, and the provider knows nothing of it", c.Amount)
		}
	}
	return p.found
}

func (p *Provider) add(no, format string, args ...any) {
	if len(p.found) < differencesMax {
		p.found = append(p.found, Difference{No: no, What: fmt.Sprintf(format, args...)})
	}
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

// ClaimAll gives the comparison every claim of some SETs, and returns their
// envelopes, for the comparison with users' books.
func (p *Provider) ClaimAll(ctx context.Context, sets []*orderset.Auditor) ([]envelope.Statement, error) {
	var all []envelope.Statement
	for _, set := range sets {
		err := set.Walk(ctx, func(s *envelope.Statement, transfers []envelope.Transfer) error {
			ClaimsOf(&s.Envelope, transfers, p.Claim)
			all = append(all, *s)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}
