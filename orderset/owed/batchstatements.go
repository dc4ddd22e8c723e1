package owed

import (
	"hongbao/envelope"
	"hongbao/orderset/layout"
)

// The statements about batches of payouts, put together by the rules of
// statements.go.

const (
	// What a round begins with.
	FreshRound = "state = 'pending', placed = FALSE, placed_at = NULL, created_at = UTC_TIMESTAMP(3), attempts = 0, provider_no = '', hint = '', reason = '', " +
		"due_at = UTC_TIMESTAMP(3)"

	lockBatch = "SELECT state = 'ended', count, total_fen, refused FROM payout_batch WHERE no = ? FOR UPDATE"

	// One tier is one range of the index, in the order in which it is due.
	selectDueBatches = "SELECT no, placed, placed_at, attempts + 1, created_at, due_at FROM payout_batch WHERE state = 'pending' AND tier = ? " +
		"AND due_at <= UTC_TIMESTAMP(3) ORDER BY due_at LIMIT ? FOR UPDATE SKIP LOCKED"

	putOffBatch = "UPDATE payout_batch SET due_at = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND WHERE no = ? AND state = 'pending'"
	freeBatch   = "UPDATE payout_batch SET reason = '', due_at = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND WHERE no = ? AND state = 'pending'"
	// What was rejected is with the provider in no way, until it is claimed again.
	stickBatch = "UPDATE payout_batch SET due_at = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND, reason = ?, placed = placed AND NOT (? AND attempts = ?) " +
		"WHERE no = ? AND state = 'pending'"
	endBatch = "UPDATE payout_batch SET state = 'ended', placed = TRUE, reason = '', refused = ?, provider_no = ?, ended_at = UTC_TIMESTAMP(3) WHERE no = ?"

	// What is in a batch is one range of the index.
	selectOrdersIn = "SELECT DISTINCT order_id FROM transfer FORCE INDEX (due) WHERE state = 'pending' AND batch = ? ORDER BY order_id"
	postBatch      = "UPDATE transfer FORCE INDEX (due) SET state = 'posted', placed = TRUE, posted_at = UTC_TIMESTAMP(3) " +
		"WHERE state = 'pending' AND batch = ?"
)

func AddBatches(b *layout.Text, nos []string) {
	for i, no := range nos {
		if i > 0 {
			b.Add(",")
		}
		b.Quoted(no)
	}
}

// insertBatches makes the batches that are named after some payouts, as far as
// there are transfers in them. A batch goes first for the largest of them.
func insertBatches(heads []string) string {
	nos := make([]string, len(heads))
	for i, head := range heads {
		nos[i] = envelope.PayoutBatchNo(head)
	}
	b := &layout.Text{}
	b.Add("INSERT INTO payout_batch (no, tier, count, total_fen, created_at, due_at) " +
		"SELECT batch, MIN(tier), COUNT(*), SUM(amount_fen), MIN(created_at), UTC_TIMESTAMP(3) FROM transfer FORCE INDEX (due) " +
		"WHERE state = 'pending' AND batch IN (")
	AddBatches(b, nos)
	b.Add(") GROUP BY batch")
	return b.String()
}

func claimBatches(nos []string) string {
	b := &layout.Text{}
	b.Add("UPDATE payout_batch FORCE INDEX (PRIMARY) SET placed = TRUE, placed_at = COALESCE(placed_at, UTC_TIMESTAMP(3)), attempts = attempts + 1, due_at = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND WHERE no IN (")
	AddBatches(b, nos)
	b.Add(")")
	return b.String()
}

// selectPayoutsIn reads what is in some pending batches. The columns that are left
// out are as they were made: of its own a payout in a batch hears nothing.
func selectPayoutsIn(nos []string) string {
	b := &layout.Text{}
	b.Add("SELECT batch, order_id, seq, round, payee_id, amount_fen, charged_fen, created_at FROM transfer FORCE INDEX (due) WHERE state = 'pending' AND batch IN (")
	AddBatches(b, nos)
	b.Add(")")
	return b.String()
}
