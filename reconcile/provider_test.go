package reconcile_test

import (
	"context"
	"strings"
	"testing"

	"hongbao/envelope"
	"hongbao/reconcile"
)

// lines are a book of the provider's.
func lines(all ...reconcile.Movement) func(context.Context, func(reconcile.Movement)) error {
	return func(_ context.Context, moved func(reconcile.Movement)) error {
		for _, m := range all {
			moved(m)
		}
		return nil
	}
}

// FG18: every planted difference with the provider is found, number by number.
func TestEveryPlantedDifferenceIsFound(t *testing.T) {
	posted := reconcile.Claim{No: "p", Amount: 100, ProviderNo: "w", Certainty: reconcile.Done}
	moved := reconcile.Movement{No: "p", Amount: 100, ProviderNo: "w"}
	with := func(c reconcile.Claim, certainty reconcile.Certainty) []reconcile.Claim {
		c.Certainty = certainty
		return []reconcile.Claim{c}
	}
	for name, tt := range map[string]struct {
		claims []reconcile.Claim
		moved  []reconcile.Movement
		want   string // "" for no difference
	}{
		"equal":                         {with(posted, reconcile.Done), []reconcile.Movement{moved}, ""},
		"nothing":                       {nil, nil, ""},
		"owed, not moved":               {with(posted, reconcile.Open), nil, ""},
		"owed, moved, not heard":        {with(posted, reconcile.Open), []reconcile.Movement{moved}, ""},
		"refused, not moved":            {with(posted, reconcile.Never), nil, ""},
		"refused, and moved":            {with(posted, reconcile.Never), []reconcile.Movement{moved}, "refused p: want nothing moved, have 100 fen moved"},
		"posted, never moved":           {with(posted, reconcile.Done), nil, "moved p: want 100 fen moved, have nothing"},
		"moved twice":                   {with(posted, reconcile.Done), []reconcile.Movement{moved, moved}, "moved once p: want moved once, have moved twice"},
		"moved thrice, said once":       {with(posted, reconcile.Done), []reconcile.Movement{moved, moved, moved}, "moved once p: want moved once, have moved twice"},
		"moved and never owed":          {nil, []reconcile.Movement{moved}, "known p: want a number of our books, have 100 fen moved"},
		"one fen more":                  {with(posted, reconcile.Done), []reconcile.Movement{{No: "p", Amount: 101, ProviderNo: "w"}}, "amount p: want 100 fen, have 101 fen moved"},
		"another number of theirs":      {with(posted, reconcile.Done), []reconcile.Movement{{No: "p", Amount: 100, ProviderNo: "v"}}, `want "w", have "v"`},
		"our number of it used twice":   {[]reconcile.Claim{posted, posted}, []reconcile.Movement{moved}, "number (I7) p: want used once, have our books use it twice"},
		"a number we were never told":   {[]reconcile.Claim{{No: "p", Amount: 100, Certainty: reconcile.Done}}, []reconcile.Movement{moved}, ""},
		"a line that makes no sense":    {with(posted, reconcile.Done), []reconcile.Movement{moved, {No: "line 7", Unreadable: "no amount"}}, "line of the bill line 7: want one that can be made out, have no amount"},
		"owed, and moved a fen too few": {with(posted, reconcile.Open), []reconcile.Movement{{No: "p", Amount: 99, ProviderNo: "w"}}, "amount p: want 100 fen, have 99 fen moved"},
	} {
		p := reconcile.Provider{Movements: lines(tt.moved...)}
		for _, c := range tt.claims {
			p.Claim(c)
		}
		got, err := p.Compare(t.Context(), true)
		if err != nil {
			t.Fatal(err)
		}
		if (len(got) == 0) != (tt.want == "") || len(got) > 1 || len(got) == 1 && !strings.Contains(got[0].String(), tt.want) {
			t.Errorf("%s: %v, want %q", name, got, tt.want)
		}
	}
}

// FS13: the key that keeps a payment for one envelope is a SET's; two SETs know
// nothing of each other.
func TestMoneyClaimedTwiceIsFound(t *testing.T) {
	a, b := envelope.Body(1<<40).In(3), envelope.Body(1<<40).In(4)
	charge := func(id envelope.ID, transaction string) func(*reconcile.Provider) {
		return func(p *reconcile.Provider) {
			reconcile.ClaimsOf(&envelope.Envelope{ID: id, Total: 300, TransactionID: transaction}, nil, p.Claim)
		}
	}
	payout := func(id envelope.ID, seq int, providerNo string) func(*reconcile.Provider) {
		t := envelope.Transfer{OrderNo: id, Seq: seq, Round: 1, Amount: 100, State: envelope.Pending, ProviderNo: providerNo}
		return func(p *reconcile.Provider) {
			reconcile.ClaimsOf(&envelope.Envelope{ID: id}, []envelope.Transfer{t}, p.Claim)
		}
	}
	type claims = []func(*reconcile.Provider)
	for name, tt := range map[string]struct {
		claims claims
		want   string // "" for no difference
	}{
		"a payment of two SETs":           {claims{charge(a, "w1"), charge(b, "w1")}, string(b) + `: want "w1" for it alone, have that of ` + string(a) + " too"},
		"a payment of one SET":            {claims{charge(a, "w1"), charge(envelope.Body(2<<40).In(3), "w1")}, "have that of"},
		"a payout of two envelopes":       {claims{payout(a, 1, "w1"), payout(b, 1, "w1")}, "have that of"},
		"a payout of two shares":          {claims{payout(a, 1, "w1"), payout(a, 2, "w1")}, "have that of"},
		"a payment and a payout":          {claims{charge(a, "w1"), payout(a, 1, "w1")}, ""},
		"two of each":                     {claims{charge(a, "w1"), charge(b, "w2"), payout(a, 1, "w3"), payout(b, 1, "w4")}, ""},
		"numbers that were never told":    {claims{charge(a, ""), charge(b, ""), payout(a, 1, ""), payout(b, 1, "")}, ""},
		"numbers that differ in a letter": {claims{charge(a, "w1"), charge(b, "W1")}, ""},
	} {
		p := reconcile.Provider{Movements: lines()}
		for _, claim := range tt.claims {
			claim(&p)
		}
		var found []reconcile.Difference
		all, err := p.Compare(t.Context(), true)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range all {
			if d.Rule != "moved" { // no movement was given
				found = append(found, d)
			}
		}
		if (len(found) == 0) != (tt.want == "") || len(found) > 1 || len(found) == 1 && !strings.Contains(found[0].String(), tt.want) {
			t.Errorf("%s: %v, want %q", name, found, tt.want)
		}
	}
}

func TestEnvelopeClaimsPaymentAndTransfers(t *testing.T) {
	id := envelope.Body(1 << 40).In(3)
	e := envelope.Envelope{ID: id, Total: 300, TransactionID: "w1"}
	payout := envelope.Transfer{OrderNo: id, Seq: 1, Round: 1, Amount: 100, State: envelope.Posted, ProviderNo: "w2"}
	again := envelope.Transfer{OrderNo: id, Seq: 2, Round: 2, Amount: 50, State: envelope.Pending}
	refund := envelope.Transfer{OrderNo: id, Round: 1, Amount: 150, State: envelope.Held}
	var got []reconcile.Claim
	reconcile.ClaimsOf(&e, []envelope.Transfer{payout, again, refund}, func(c reconcile.Claim) { got = append(got, c) })
	want := []reconcile.Claim{
		{No: string(id), Amount: 300, ProviderNo: "w1", Certainty: reconcile.Done},
		{No: string(id) + "P001", Amount: 100, ProviderNo: "w2", Certainty: reconcile.Done},
		{No: string(id) + "P002X2", Amount: 50, Certainty: reconcile.Open},
		{No: string(id) + "R", Amount: 150, Certainty: reconcile.Never},
	}
	if len(got) != len(want) {
		t.Fatalf("%d claims, want %d: %v", len(got), len(want), got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("claim %d: %+v, want %+v", i, got[i], want[i])
		}
	}
}
