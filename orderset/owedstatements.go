package orderset

import (
	"strconv"

	"hongbao/envelope"
)

// The statements about what is owed, put together by the rules of statements.go.

// newSharesOf are the shares of an envelope from one position up to another.
type newSharesOf struct {
	id       envelope.ID
	from, to int
}

func addRanges(b *text, prefix string, ranges []newSharesOf) {
	for i, r := range ranges {
		if i > 0 {
			b.add(" OR ")
		}
		b.add("(", prefix, "order_id = '", string(r.id), "' AND ", prefix, "seq BETWEEN ")
		b.int(int64(r.from))
		b.add(" AND ")
		b.int(int64(r.to))
		b.add(")")
	}
}

func (t DayTable) selectShareRanges(ranges []newSharesOf) string {
	b := &text{}
	b.add("SELECT ", shareColumns, " FROM ", t.shares(), " WHERE ")
	addRanges(b, "", ranges)
	b.add(" ORDER BY order_id, seq")
	return b.String()
}

// insertPayouts makes the transfers of some shares. Under READ COMMITTED it reads
// without locks. One that another spreader has made meanwhile stays as it is.
func (t DayTable) insertPayouts(ranges []newSharesOf) string {
	b := &text{}
	b.add("INSERT INTO transfer (order_id, seq, payee_id, amount_fen, charged_fen, tier, created_at, due_at) "+
		"SELECT s.order_id, s.seq, s.user_id, s.amount_fen, e.total_fen, "+tierOfAmount+", s.opened_at, UTC_TIMESTAMP(3) FROM ",
		t.shares(), " s JOIN ", t.envelopes(), " e ON e.order_id = s.order_id WHERE ")
	addRanges(b, "s.", ranges)
	b.add(" ORDER BY s.order_id, s.seq ON DUPLICATE KEY UPDATE round = transfer.round")
	return b.String()
}

// tierOfAmount is the schema's rule for transfer.tier.
const tierOfAmount = "CASE WHEN amount_fen >= 10000 THEN 0 WHEN amount_fen >= 1000 THEN 1 ELSE 2 END"

func insertTouched(b *text, ids []envelope.ID) {
	b.add("INSERT INTO outbox (touched, state, created_at) VALUES ")
	for i := 0; len(ids) > 0; i++ {
		n := min(len(ids), touchedMax)
		if i > 0 {
			b.add(",")
		}
		b.add("('")
		for _, id := range ids[:n] {
			b.add(string(id))
		}
		b.add("','pending',UTC_TIMESTAMP(3))")
		ids = ids[n:]
	}
}

func updateSpread(rows []int64) string {
	b := &text{}
	// Left to itself the server reads the whole table for a few ids, and so waits
	// for rows that others have locked (FG10).
	b.add("UPDATE outbox FORCE INDEX (PRIMARY) SET state = 'spread' WHERE id IN (")
	for i, id := range rows {
		if i > 0 {
			b.add(",")
		}
		b.int(id)
	}
	b.add(")")
	return b.String()
}

func selectLastTransfers(ids []envelope.ID) string {
	b := &text{}
	b.add("SELECT order_id, MAX(seq) FROM transfer WHERE order_id IN (")
	b.ids(ids)
	b.add(") GROUP BY order_id")
	return b.String()
}

// upsertDeliveries owes some envelopes' news to everybody who follows them. MySQL
// assigns from left to right, so state comes last.
func upsertDeliveries(ids []envelope.ID) string {
	b := &text{}
	b.add("INSERT INTO delivery (order_id, topic, state, due_at, since) VALUES ")
	for i, id := range ids {
		if i > 0 {
			b.add(",")
		}
		b.add("('", string(id), "','book','pending',UTC_TIMESTAMP(3),UTC_TIMESTAMP(3)),('", string(id), "','event','pending',UTC_TIMESTAMP(3),UTC_TIMESTAMP(3))")
	}
	b.add(" ON DUPLICATE KEY UPDATE wanted = wanted + 1, due_at = IF(state = 'idle', UTC_TIMESTAMP(3), due_at), " +
		"since = IF(state = 'idle', UTC_TIMESTAMP(3), since), state = IF(state = 'parked', 'parked', 'pending')")
	return b.String()
}

func claimDeliveries(ids []envelope.ID) string {
	b := &text{}
	b.add("UPDATE delivery FORCE INDEX (PRIMARY) SET attempts = attempts + 1, due_at = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND WHERE topic = ? AND order_id IN (")
	b.ids(ids)
	b.add(")")
	return b.String()
}

// finishDeliveries records what receivers know. A claim that is not the latest
// matches nothing. The order of the join is fixed: a plan that went through the
// deliveries instead would lock them all.
func finishDeliveries(b *text, ds []envelope.Delivery) {
	b.add("UPDATE (")
	for i := range ds {
		d := &ds[i]
		if i > 0 {
			b.add(" UNION ALL ")
		}
		b.add("SELECT '", string(d.ID), "' AS id, ")
		b.quoted(string(d.Topic))
		b.add(" AS topic, ")
		b.int(int64(d.At.Stage))
		b.add(" AS stage, ")
		b.int(int64(d.At.Seq))
		b.add(" AS seq, ")
		b.int(d.Wanted)
		b.add(" AS wanted, ")
		b.int(int64(d.Attempts))
		b.add(" AS attempts, ")
		b.time(d.Since)
		b.add(" AS since")
	}
	b.add(") x STRAIGHT_JOIN delivery d ON d.order_id = x.id AND d.topic = x.topic SET d.stage = x.stage, d.seq = x.seq, d.attempts = 0, d.reason = '', " +
		"d.due_at = UTC_TIMESTAMP(3), d.since = UTC_TIMESTAMP(3), d.state = IF(d.wanted = x.wanted, 'idle', 'pending') " +
		"WHERE d.state = 'pending' AND d.attempts = x.attempts AND d.since = x.since")
}

func deleteIdle(ids []envelope.ID) string {
	b := &text{}
	b.add("DELETE FROM delivery WHERE state = 'idle' AND topic = ? AND order_id IN (")
	b.ids(ids)
	b.add(")")
	return b.String()
}

func selectRefunds(ids []envelope.ID) string {
	b := &text{}
	b.add("SELECT order_id, amount_fen, posted_at FROM transfer WHERE seq = 0 AND state = 'posted' AND order_id IN (")
	b.ids(ids)
	b.add(")")
	return b.String()
}

// transferKey names a transfer.
type transferKey struct {
	id  envelope.ID
	seq int
}

// addKeys is a condition on the primary key, in its order. One OR branch an
// envelope, because row-constructor IN lists do not use the key on MariaDB.
func addKeys(b *text, keys []transferKey) {
	for i, k := range keys {
		switch {
		case i > 0 && keys[i-1].id == k.id:
			b.add(",")
		case i > 0:
			b.add(")) OR (order_id = '", string(k.id), "' AND seq IN (")
		default:
			b.add("(order_id = '", string(k.id), "' AND seq IN (")
		}
		b.int(int64(k.seq))
	}
	b.add("))")
}

func lockTransfers(keys []transferKey) string {
	b := &text{}
	b.add("SELECT ", transferColumns, " FROM transfer FORCE INDEX (PRIMARY) WHERE ")
	addKeys(b, keys)
	b.add(" ORDER BY order_id, seq FOR UPDATE")
	return b.String()
}

func claimTransfers(keys []transferKey) string {
	b := &text{}
	b.add("UPDATE transfer FORCE INDEX (PRIMARY) SET placed = TRUE, attempts = attempts + 1, due_at = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND WHERE ")
	addKeys(b, keys)
	return b.String()
}

// updateHeard stores what was heard. Strings that the provider made are
// placeholders; the arguments are for them.
func updateHeard(b *text, ts []heard) (args []any) {
	b.add("UPDATE (")
	for i := range ts {
		t := &ts[i]
		if i > 0 {
			b.add(" UNION ALL ")
		}
		b.add("SELECT '", string(t.OrderNo), "' AS id, ")
		b.int(int64(t.Seq))
		b.add(" AS seq, ")
		b.quoted(string(t.State))
		b.add(" AS state, ", strconv.FormatBool(t.Placed), " AS placed, ? AS number, ? AS hint, ? AS reason, ")
		b.int(t.wait)
		b.add(" AS wait")
		args = append(args, t.ProviderNo, t.Hint, t.Reason)
	}
	b.add(") x STRAIGHT_JOIN transfer t ON t.order_id = x.id AND t.seq = x.seq SET t.state = x.state, t.placed = x.placed, t.provider_no = x.number, " +
		"t.hint = x.hint, t.reason = x.reason, t.due_at = UTC_TIMESTAMP(3) + INTERVAL x.wait MICROSECOND, " +
		"t.posted_at = IF(x.state = 'posted', UTC_TIMESTAMP(3), NULL)")
	return args
}

// selectTransfersOf reads every transfer of some envelopes.
func selectTransfersOf(ids []envelope.ID) string {
	b := &text{}
	b.add("SELECT ", transferColumns, " FROM transfer WHERE order_id IN (")
	b.ids(ids)
	b.add(") ORDER BY order_id, seq")
	return b.String()
}

// countPosted waits for whoever is posting a transfer of these envelopes.
func countPosted(ids []envelope.ID) string {
	b := &text{}
	b.add("SELECT order_id, COUNT(*) FROM transfer FORCE INDEX (PRIMARY) WHERE state = 'posted' AND order_id IN (")
	b.ids(ids)
	b.add(") GROUP BY order_id LOCK IN SHARE MODE")
	return b.String()
}

// insertPosted makes the transfers of all shares of some envelopes as if they had
// been carried out when the shares were taken.
func (t DayTable) insertPosted(ids []envelope.ID) string {
	b := &text{}
	b.add("INSERT INTO transfer (order_id, seq, payee_id, amount_fen, charged_fen, state, placed, tier, created_at, due_at, posted_at) "+
		"SELECT s.order_id, s.seq, s.user_id, s.amount_fen, e.total_fen, 'posted', TRUE, "+tierOfAmount+", s.opened_at, s.opened_at, s.opened_at FROM ",
		t.shares(), " s JOIN ", t.envelopes(), " e ON e.order_id = s.order_id WHERE s.order_id IN (")
	b.ids(ids)
	b.add(")")
	return b.String()
}
