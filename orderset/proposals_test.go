package orderset_test

import (
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset"
	"hongbao/orderset/decision"
)

// wantProposals fails unless these proposals stand, and no others.
func wantProposals(t *testing.T, s *orderset.Set, want map[string]decision.Proposal) {
	t.Helper()
	held, err := s.Desk().Held(t.Context(), decision.HeldQuery{Max: 1000})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]decision.Proposal{}
	for _, h := range held {
		if h.Proposal != nil {
			got[h.No()] = *h.Proposal
		}
	}
	for no, w := range want {
		g, stands := got[no]
		if age := time.Since(g.At); !stands || age < -time.Minute || age > time.Minute {
			t.Errorf("%s: got %+v, want a proposal of now", no, g)
		}
		if g.At = w.At; g != w {
			t.Errorf("%s: got %+v, want %+v", no, g, w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d proposals stand, want %d: %v", len(got), len(want), got)
	}
}

func propose(t *testing.T, s *orderset.Set, tr envelope.Transfer, by, action string, payee envelope.UserID) {
	t.Helper()
	if err := proposing(t, s, tr.No(), by, action, payee); err != nil {
		t.Fatal(err)
	}
}

// refusedTransfers are held, all of one envelope.
func refusedTransfers(t *testing.T, w *settest.World, n int) (*orderset.Set, []envelope.Transfer) {
	t.Helper()
	s, ts := owing(t, w, n)
	hear(t, s, say(envelope.ProgressRefused, ts...))
	return s, ts
}

// FH13: a held transfer is listed with what was proposed, by which operator and when.
func TestApproverSeesTheProposal(t *testing.T) {
	w := servers.World(t, 1)
	s, ts := refusedTransfers(t, w, 3)
	wantProposals(t, s, nil)
	release := decision.Proposal{Action: decision.ActionRelease, By: "ann"}
	redirect := decision.Proposal{Action: decision.ActionRedirect, Payee: "carl", By: "ben"}
	propose(t, s, ts[0], "ann", decision.ActionRelease, "")
	propose(t, s, ts[1], "ben", decision.ActionRedirect, "carl")
	wantProposals(t, s, map[string]decision.Proposal{ts[0].No(): release, ts[1].No(): redirect})
	exec(t, w.Admin(t, 0), "UPDATE decision SET proposed_at = proposed_at - INTERVAL 24 HOUR WHERE proposed_by = 'ben'")
	wantProposals(t, s, map[string]decision.Proposal{ts[0].No(): release})
	propose(t, s, ts[1], "dora", decision.ActionRelease, "") // what has lapsed makes room
	wantProposals(t, s, map[string]decision.Proposal{ts[0].No(): release, ts[1].No(): {Action: decision.ActionRelease, By: "dora"}})
}

// FH13: a proposal ends with its round, and the next round takes a new one.
func TestProposalIsAboutOneRound(t *testing.T) {
	w := servers.World(t, 1)
	s, ts := refusedTransfers(t, w, 1)
	propose(t, s, ts[0], "ann", decision.ActionRelease, "")
	next, err := approve(t, s, ts[0].No(), "ben")
	if err != nil {
		t.Fatal(err)
	}
	wantProposals(t, s, nil)
	claim(t, s, 1)
	hear(t, s, say(envelope.ProgressRefused, next))
	wantProposals(t, s, nil)
	propose(t, s, next, "ben", decision.ActionRedirect, "carl")
	wantProposals(t, s, map[string]decision.Proposal{next.No(): {Action: decision.ActionRedirect, Payee: "carl", By: "ben"}})
}
