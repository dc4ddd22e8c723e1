package decision

import (
	"context"
	"database/sql"
	"errors"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/layout"
	"hongbao/orderset/owed"
	"hongbao/orderset/setdb"
)

// retryMax bounds the transfers that one call makes due: those that are due after
// that many have gone are made due by a repeat.
const retryMax = 10_000

// Retry has what is stuck asked about or for again now: the transfer or the batch
// of a number, or with "" all there is. What is on its way there is left alone. A
// number that is not stuck is an InvalidError, and one that is none ErrNotFound.
func (s *Desk) Retry(ctx context.Context, no string) error {
	if no == "" {
		return errors.Join(s.db.Update(ctx, "retry all batches", retryBatches), s.db.Update(ctx, "retry all that is stuck", retryAll, retryMax))
	}
	err := s.db.TxRepeat(ctx, func(ctx context.Context, c *sql.Conn) error {
		if _, err := envelope.ParsePayoutBatchNo(no); err == nil {
			b, _, err := lockDissolvable(ctx, c, no)
			if err != nil && (b.No == "" || b.Reason == "") {
				return err
			}
			_, err = c.ExecContext(ctx, retryBatch, no)
			return err
		}
		id, seq, round, err := envelope.ParseTransferNo(no)
		if err != nil {
			return owed.ErrNoTransfer(no)
		}
		ts, err := owed.LockStored(ctx, c, []layout.TransferKey{{ID: id, Seq: seq}})
		switch {
		case err != nil:
			return err
		case len(ts) == 0 || ts[0].Round < round:
			return owed.ErrNoTransfer(no)
		case ts[0].State != envelope.Stuck || ts[0].Round != round:
			return refusal("no", "is not stuck")
		}
		_, err = c.ExecContext(ctx, retryStuck, id, seq, round)
		return err
	})
	return s.db.Decided("retry"+" "+no, err)
}

const (
	causesMax = 8       // in one answer
	causesOf  = 100_000 // rows that are looked at

	selectCauses = "SELECT 'transfer', reason, COUNT(*) FROM (SELECT reason FROM transfer WHERE state IN ('held', 'stuck') LIMIT ?) t " +
		"GROUP BY reason ORDER BY 3 DESC, 2 LIMIT ?"
	selectBatchCauses  = "SELECT 'transfer', reason, SUM(count) FROM (SELECT reason, count FROM payout_batch WHERE state = 'pending' AND reason <> '' LIMIT ?) b GROUP BY reason ORDER BY 3 DESC, 2 LIMIT ?"
	selectParkedCauses = "SELECT topic, reason, COUNT(*) FROM (SELECT topic, reason FROM delivery WHERE topic IN ('charge', 'book', 'event') AND state = 'parked' LIMIT ?) d " +
		"GROUP BY topic, reason ORDER BY 3 DESC, 1, 2 LIMIT ?"
)

// Causes are, by topic, why what is stuck there is: the most frequent causes, each
// with how many have it.
func (s *Desk) Causes(ctx context.Context) (map[string]map[string]int, error) {
	ctx, cancel := context.WithTimeout(ctx, setdb.TxMax)
	defer cancel()
	causes := map[string]map[string]int{}
	for _, query := range []string{selectCauses, selectBatchCauses, selectParkedCauses} {
		err := mariadb.Each(ctx, s.db, func(rows *sql.Rows) error {
			var topic, reason string
			var n int
			err := rows.Scan(&topic, &reason, &n)
			if causes[topic] == nil {
				causes[topic] = map[string]int{}
			}
			causes[topic][reason] += n
			return err
		}, query, causesOf, causesMax)
		if err != nil {
			return nil, s.db.Answer("causes of what is stuck", err)
		}
	}
	return causes, s.db.Answer("causes of what is stuck", nil)
}
