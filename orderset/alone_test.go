package orderset_test

import (
	"testing"

	"hongbao/envelope"
	"hongbao/orderset"
	"hongbao/orderset/decision"
)

// refuseBatch is the provider's final refusal of a batch, in answer to a claim.
func refuseBatch(t testing.TB, s *orderset.Set, b envelope.PayoutBatch) {
	t.Helper()
	word := putOff(b.No, envelope.ProgressRejected, 0)
	word.Code, word.Attempt = "PARAM_ERROR", b.Attempts
	if err := s.Owed().PutOffBatch(t.Context(), word); err != nil {
		t.Fatal(err)
	}
}

// FS9: a payout that is alone in a batch that the provider does not take can be
// redirected, or released, by two people; the batch is never asked for again (I7).
func TestStuckBatchOfOneIsRedirected(t *testing.T) {
	for _, action := range []string{decision.ActionRedirect, decision.ActionRelease} {
		t.Run(action, func(t *testing.T) {
			w := servers.World(t, 1)
			s, e, b := owedBatch(t, w, 1)
			no, payee := b.Payouts[0].No(), envelope.UserID("")
			if action == decision.ActionRedirect {
				payee = "carl"
			}
			wantInvalid(t, proposing(t, s, no, "ann", action, payee), "transfer") // it is on its way
			refuseBatch(t, s, b)
			propose(t, s, b.Payouts[0], "ann", action, payee)
			if _, batches, err := s.Desk().Stuck(t.Context(), 10); err != nil || len(batches) != 1 || batches[0].Proposal == nil || batches[0].Proposal.Action != action || batches[0].Proposal.Payee != payee {
				t.Errorf("shown to who approves: %+v, %v", batches, err)
			}
			_, err := approve(t, s, no, "ann")
			wantInvalid(t, err, "approved_by")
			again := claimBatches(t, s, 1)
			_, err = approve(t, s, no, "ben")
			wantInvalid(t, err, "transfer") // it is on its way again
			refuseBatch(t, s, again[0])
			for range 2 {
				if next, err := approve(t, s, no, "ben"); err != nil || next.Round != 2 || next.State != envelope.Pending || payee != "" && next.Payee != payee {
					t.Fatalf("it goes on as %+v, %v", next, err)
				}
			}
			wantInvalid(t, s.Desk().ProposeDissolve(t.Context(), b.No, "ann"), "batch") // it has ended
			w.CheckBooks(t)
			next := claimBatches(t, s, 10)
			if len(next) != 1 || len(next[0].Payouts) != 1 || next[0].Payouts[0].Round != 2 || next[0].No == b.No || stuckCount(t, s) != 0 {
				t.Fatalf("claimed %+v", next)
			}
			hearBatch(t, s, allPaid(&next[0]))
			wantState(t, w, e.ID, envelope.Settled, 4)
			if err := s.Owed().RecordBatch(t.Context(), allPaid(&b)); err == nil {
				t.Error("that the old batch was paid after all is no dispute")
			}
		})
	}
}

// FS9: what is in a batch with others is decided about once the batch is dissolved.
func TestPayoutStaysInItsBatch(t *testing.T) {
	w := servers.World(t, 1)
	s, _, b := owedBatch(t, w, 2)
	refuseBatch(t, s, b)
	wantInvalid(t, proposing(t, s, b.Payouts[0].No(), "ann", decision.ActionRedirect, "carl"), "transfer")
}

// FS9: of a redirect and a dissolution of the same batch one is carried out.
func TestAStuckBatchOfOneGoesOnOnce(t *testing.T) {
	w := servers.World(t, 1)
	s, _, b := owedBatch(t, w, 1)
	refuseBatch(t, s, b)
	propose(t, s, b.Payouts[0], "ann", decision.ActionRedirect, "carl")
	if err := s.Desk().ProposeDissolve(t.Context(), b.No, "ben"); err != nil {
		t.Fatal(err)
	}
	both := make(chan error, 2)
	go func() { both <- s.Desk().ApproveDissolve(t.Context(), b.No, "carla") }()
	go func() { _, err := approve(t, s, b.Payouts[0].No(), "ben"); both <- err }() // proposed to dissolve, and approves the other
	if one, two := <-both, <-both; (one == nil) == (two == nil) {
		t.Errorf("both ended alike: %v, %v", one, two)
	}
	if next := claimBatches(t, s, 10); len(next) != 1 || next[0].Payouts[0].Round != 2 {
		t.Errorf("goes on as %+v", next)
	}
	w.CheckBooks(t)
}
