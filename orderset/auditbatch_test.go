package orderset_test

import (
	"slices"
	"strings"
	"testing"

	"hongbao/reconcile"
)

// I10: every rule about payout batches finds the damage that is planted for it.
func TestEveryDamageToABatchIsFound(t *testing.T) {
	w := servers.World(t, 1)
	s, e, b := owedBatch(t, w, 4)
	opened(t, w, s, 50, 3, 3)
	spread(t, s) // another batch, which stays as it is
	ended := opened(t, w, s, 50, 3, 3)
	spread(t, s)
	for _, b := range claimBatches(t, s, 10) {
		if b.Payouts[0].OrderNo == ended.ID {
			hearBatch(t, s, allPaid(&b))
		}
	}
	w.CheckBooks(t)
	admin := w.Admin(t, 0)
	for _, d := range []struct{ name, damage, repair, breaks string }{
		{"it counts a payout too many", "UPDATE payout_batch SET count = count + 1 WHERE no = NO", "UPDATE payout_batch SET count = count - 1 WHERE no = NO", "I7"},
		{"it is a fen too large", "UPDATE payout_batch SET total_fen = total_fen + 1 WHERE no = NO", "UPDATE payout_batch SET total_fen = total_fen - 1 WHERE no = NO", "I7"},
		{"a payout has left it", "UPDATE transfer SET batch = '' WHERE batch = NO AND seq = 2", "UPDATE transfer SET batch = NO WHERE order_id = ID AND seq = 2", "I7"},
		{"all payouts have left it", "UPDATE transfer SET batch = '' WHERE batch = NO", "UPDATE transfer SET batch = NO WHERE order_id = ID", "I7"},
		{"a payout was posted by itself", "UPDATE transfer SET state = 'posted', placed = TRUE, posted_at = created_at WHERE batch = NO AND seq = 2",
			"UPDATE transfer SET state = 'pending', posted_at = NULL WHERE batch = NO AND seq = 2", "I7"},
		{"a payout of another joins it", "UPDATE transfer SET batch = NO, state = 'pending', posted_at = NULL WHERE order_id = ENDED AND seq = 1",
			"UPDATE transfer SET batch = 'B', state = 'posted', posted_at = created_at WHERE order_id = ENDED AND seq = 1", "I7"},
		{"it is gone", "DELETE FROM payout_batch WHERE no = NO",
			"INSERT INTO payout_batch (no, tier, count, total_fen, created_at, due_at) SELECT batch, tier, COUNT(*), SUM(amount_fen), MIN(created_at), MIN(due_at) FROM transfer WHERE batch = NO GROUP BY batch, tier", "C3"},
		{"it has ended without its payouts", "UPDATE payout_batch SET state = 'ended', placed = TRUE, ended_at = due_at WHERE no = NO",
			"UPDATE payout_batch SET state = 'pending', ended_at = NULL WHERE no = NO", "C3"},
	} {
		fill := strings.NewReplacer("NO", "'"+b.No+"'", "ENDED", "'"+string(ended.ID)+"'", "ID", "'"+string(e.ID)+"'")
		exec(t, admin, fill.Replace(d.damage))
		books := w.Audit(t)[0]
		if !slices.ContainsFunc(books.Violations, func(v reconcile.Difference) bool { return v.Rule == d.breaks && v.Key == string(e.ID) }) {
			t.Errorf("%s: %s was not found broken: %v", d.name, d.breaks, books)
		}
		exec(t, admin, fill.Replace(d.repair))
		if books := w.Audit(t)[0]; len(books.Violations) > 0 {
			t.Fatalf("%s: not repaired: %v", d.name, books)
		}
	}
}
