package main_test

import (
	"fmt"
	"testing"

	"hongbao/internal/settest"
)

// FG1, FG5: TestBatchWithALostAnswerPaysOnce has faults in pairs, of the call
// and of the callback: executed and not, answered and not.
func TestBatchWithALostAnswerPaysOnce(t *testing.T) {
	p := settest.Playground(t, "--payouts", "batches")
	for _, name := range []string{
		"timeout_before", "timeout_after", "execute_later", "unknown_code", "unknown_code_after", "unknown_state", "unsigned_answer",
		"drop_callback", "duplicate_callback", "forged_callback", "late_callback",
	} {
		id, ticket := p.Paid(t, "once", `{"kind":"equal","share_fen":77,"count":3,"group_id":"g"}`)
		lie(t, p, fmt.Sprintf(`{"later_ms":300,"late_ms":300,"copies":16,"rules":[{"lie":%q,"kind":"payout","no_prefix":%q,"times":1}]}`, name, "B"+id))
		c := newCrowd(p)
		for i := range 3 {
			if err := c.open(t.Context(), id, ticket, fmt.Sprintf("%s-%d", name, i)); err != nil {
				t.Fatal(err)
			}
		}
		awaitMoney(t, p, id, "once", "", name+": the end", func(m money) bool { return m.State == "settled" })
		for seq := range 3 {
			if fen, times := ledger(t, p, fmt.Sprintf("%sP%03d", id, seq+1)); fen != 77 || times != 1 {
				t.Errorf("%s: the provider paid share %d %d times, %d fen, want 77 once", name, seq+1, times, fen)
			}
		}
	}
	lie(t, p, "")
}
