package decision

import (
	"hongbao/orderset/layout"
	"hongbao/orderset/owed"
)

const (
	// What is in flight comes back within this, and is left alone.
	claimedFor   = " AND due_at > UTC_TIMESTAMP(3) + INTERVAL 30 SECOND"
	retryBatch   = "UPDATE payout_batch SET due_at = UTC_TIMESTAMP(3) WHERE no = ? AND state = 'pending' AND reason <> ''" + claimedFor
	retryBatches = "UPDATE payout_batch SET due_at = UTC_TIMESTAMP(3) WHERE state = 'pending' AND reason <> ''" + claimedFor
	retryStuck   = "UPDATE transfer SET due_at = UTC_TIMESTAMP(3) WHERE order_id = ? AND seq = ? AND round = ? AND state = 'stuck'" + claimedFor
	retryAll     = "UPDATE transfer FORCE INDEX (due) SET due_at = UTC_TIMESTAMP(3) WHERE state = 'stuck' AND batch = '' AND tier IN (0, 1, 2)" + claimedFor + " LIMIT ?"
)

// dissolvePayouts begins the next round of all payouts of a batch, each in a batch
// that is named after it alone, or in none.
func dissolvePayouts(batches bool) string {
	b := &layout.Text{}
	b.Add("UPDATE transfer FORCE INDEX (due) SET batch = ")
	if batches {
		b.Add("CONCAT('B', order_id, 'P', LPAD(seq, 3, '0'), 'X', round + 1)")
	} else {
		b.Add("''")
	}
	b.Add(", round = round + 1, ", owed.FreshRound, " WHERE state = 'pending' AND batch = ?")
	return b.String()
}
