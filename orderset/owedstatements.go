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

// rangesByTable is one SELECT for each table that some ranges are in, all in one
// statement: with ten tables, what a statement costs by itself is half of it.
func rangesByTable(b *text, ranges []newSharesOf, one func(t DayTable, ranges []newSharesOf)) {
	for i := 0; i < len(ranges); {
		t, n := TableOf(ranges[i].id), i+1
		for n < len(ranges) && TableOf(ranges[n].id) == t {
			n++
		}
		if i > 0 {
			b.add(" UNION ALL ")
		}
		one(t, ranges[i:n])
		i = n
	}
}

// idsByTable is the same for envelopes.
func idsByTable(ids []envelope.ID, one func(b *text, t DayTable, ids []envelope.ID)) string {
	b := &text{}
	for t, ids := range byTable(ids) {
		if b.Len() > 0 {
			b.add(" UNION ALL ")
		}
		one(b, t, ids)
	}
	return b.String()
}

// selectHeadersOf reads headers from all their tables, in no order.
func selectHeadersOf(ids []envelope.ID) string {
	return idsByTable(ids, func(b *text, t DayTable, ids []envelope.ID) {
		b.add("SELECT ", headerColumns, " FROM ", t.envelopes(), " WHERE order_id IN (")
		b.ids(ids)
		b.add(")")
	})
}

// selectShareRanges reads shares from all their tables, in no order.
func selectShareRanges(ranges []newSharesOf) string {
	b := &text{}
	rangesByTable(b, ranges, func(t DayTable, ranges []newSharesOf) {
		b.add("SELECT ", shareColumns, " FROM ", t.shares(), " FORCE INDEX (PRIMARY) WHERE ")
		addRanges(b, "", ranges)
	})
	return b.String()
}

// insertPayouts makes the transfers of some shares, given in the order of their
// tables, in the batch that is named after head, or in none. Under READ
// COMMITTED it reads without locks. One that another spreader has made meanwhile
// stays as it is, in the batch in which it is. The order of the join is fixed: a
// plan that began with the headers would read every share of theirs.
func insertPayouts(head string, ranges []newSharesOf) string {
	b := &text{}
	b.add("INSERT INTO transfer (order_id, seq, payee_id, amount_fen, charged_fen, tier, batch, created_at, due_at) ")
	rangesByTable(b, ranges, func(t DayTable, ranges []newSharesOf) {
		b.add("SELECT s.order_id, s.seq, s.user_id, s.amount_fen, e.total_fen, " + tierOfAmount + ", ")
		if head == "" {
			b.add("''")
		} else {
			b.quoted(envelope.PayoutBatchNo(head))
		}
		b.add(", s.opened_at, UTC_TIMESTAMP(3) FROM ", t.shares(), " s FORCE INDEX (PRIMARY) STRAIGHT_JOIN ", t.envelopes(), " e ON e.order_id = s.order_id WHERE ")
		addRanges(b, "s.", ranges)
	})
	b.add(" ON DUPLICATE KEY UPDATE round = transfer.round")
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

// selectUnspread reads which shares of some envelopes have no transfer yet: from
// the position after the last one that has, to the last that is opened.
func selectUnspread(ids []envelope.ID) string {
	return idsByTable(ids, func(b *text, t DayTable, ids []envelope.ID) {
		b.add("SELECT e.order_id, COALESCE((SELECT t.seq FROM transfer t WHERE t.order_id = e.order_id ORDER BY t.seq DESC LIMIT 1), 0) + 1, e.opened_count FROM ",
			t.envelopes(), " e WHERE e.order_id IN (")
		b.ids(ids)
		b.add(")")
	})
}

// selectUnsettled reads which of some envelopes are finished and not settled yet,
// in no order.
func selectUnsettled(ids []envelope.ID) string {
	return idsByTable(ids, func(b *text, t DayTable, ids []envelope.ID) {
		b.add("SELECT order_id FROM ", t.envelopes(), " FORCE INDEX (PRIMARY) WHERE state IN ('empty', 'expired') AND order_id IN (")
		b.ids(ids)
		b.add(")")
	})
}

// upsertDeliveries owes some envelopes' news to everybody who follows them. One
// that was told a moment ago rests until its time. MySQL assigns from left to
// right, so state comes last.
func upsertDeliveries(ids []envelope.ID) string {
	b := &text{}
	b.add("INSERT INTO delivery (order_id, topic, state, due_at, since) VALUES ")
	for i, id := range ids {
		if i > 0 {
			b.add(",")
		}
		b.add("('", string(id), "','book','pending',UTC_TIMESTAMP(3),UTC_TIMESTAMP(3)),('", string(id), "','event','pending',UTC_TIMESTAMP(3),UTC_TIMESTAMP(3))")
	}
	b.add(" ON DUPLICATE KEY UPDATE ", oweMore)
	return b.String()
}

const oweMore = "wanted = wanted + 1, due_at = IF(state = 'idle', GREATEST(due_at, UTC_TIMESTAMP(3)), due_at), " +
	"since = IF(state = 'idle', UTC_TIMESTAMP(3), since), state = IF(state = 'parked', 'parked', 'pending')"

// updateDeliveries is upsertDeliveries where they are there already, at half the
// cost.
func updateDeliveries(ids []envelope.ID) string {
	b := &text{}
	b.add("UPDATE delivery FORCE INDEX (PRIMARY) SET ", oweMore, " WHERE topic IN ('book', 'event') AND order_id IN (")
	b.ids(ids)
	b.add(")")
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
// deliveries instead would lock them all. Rows of JSON cost the server a third
// less than as many SELECTs.
func finishDeliveries(b *text, ds []envelope.Delivery) {
	b.add("UPDATE JSON_TABLE('[")
	for i := range ds {
		d := &ds[i]
		if i > 0 {
			b.add(",")
		}
		b.add(`["`, string(d.ID), `","`, string(d.Topic), `",`)
		for _, n := range []int64{int64(d.At.Stage), int64(d.At.Seq), d.Wanted, int64(d.Attempts)} {
			b.int(n)
			b.add(",")
		}
		b.add(`"`, d.Since.UTC().Format(datetime), `"]`)
	}
	b.add("]', '$[*]' COLUMNS (id CHAR(23) CHARACTER SET ascii COLLATE ascii_bin PATH '$[0]', topic VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin PATH '$[1]', " +
		"stage INT PATH '$[2]', seq INT PATH '$[3]', wanted BIGINT PATH '$[4]', attempts INT PATH '$[5]', since DATETIME(3) PATH '$[6]')) x " +
		"STRAIGHT_JOIN delivery d ON d.order_id = x.id AND d.topic = x.topic SET d.stage = x.stage, d.seq = x.seq, d.attempts = 0, d.reason = '', " +
		"d.due_at = UTC_TIMESTAMP(3) + INTERVAL IF(d.topic = 'book', ")
	b.int(bookRest.Microseconds())
	b.add(", ")
	b.int(eventRest.Microseconds())
	b.add(") MICROSECOND, d.since = UTC_TIMESTAMP(3), d.state = IF(d.wanted = x.wanted, 'idle', 'pending') " +
		"WHERE d.state = 'pending' AND d.attempts = x.attempts AND d.since = x.since")
}

// datetime is a point in time, in UTC, as DATETIME(3) keeps it.
const datetime = "2006-01-02 15:04:05.000"

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
	b.add("SELECT ", transferColumns, ", batch FROM transfer FORCE INDEX (PRIMARY) WHERE ")
	addKeys(b, keys)
	b.add(" ORDER BY order_id, seq FOR UPDATE")
	return b.String()
}

func claimTransfers(keys []transferKey) string {
	b := &text{}
	b.add("UPDATE transfer FORCE INDEX (PRIMARY) SET placed = TRUE, placed_at = COALESCE(placed_at, UTC_TIMESTAMP(3)), attempts = attempts + 1, due_at = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND WHERE ")
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
