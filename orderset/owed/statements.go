package owed

import (
	"strconv"

	"hongbao/envelope"
	"hongbao/orderset/layout"
)

// The statements about what is owed, put together by the rules of statements.go.

// newSharesOf are the shares of an envelope from one position up to another.
type newSharesOf struct {
	id       envelope.ID
	from, to int
}

func addRanges(b *layout.Text, prefix string, ranges []newSharesOf) {
	for i, r := range ranges {
		if i > 0 {
			b.Add(" OR ")
		}
		b.Add("(", prefix, "order_id = '", string(r.id), "' AND ", prefix, "seq BETWEEN ")
		b.Int(int64(r.from))
		b.Add(" AND ")
		b.Int(int64(r.to))
		b.Add(")")
	}
}

// rangesByTable is one SELECT for each table that some ranges are in, all in one
// statement: with ten tables, what a statement costs by itself is half of it.
func rangesByTable(b *layout.Text, ranges []newSharesOf, one func(t layout.DayTable, ranges []newSharesOf)) {
	for i := 0; i < len(ranges); {
		t, n := layout.TableOf(ranges[i].id), i+1
		for n < len(ranges) && layout.TableOf(ranges[n].id) == t {
			n++
		}
		if i > 0 {
			b.Add(" UNION ALL ")
		}
		one(t, ranges[i:n])
		i = n
	}
}

// idsByTable is the same for envelopes.
func idsByTable(ids []envelope.ID, one func(b *layout.Text, t layout.DayTable, ids []envelope.ID)) string {
	b := &layout.Text{}
	for t, ids := range layout.ByTable(ids) {
		if b.Len() > 0 {
			b.Add(" UNION ALL ")
		}
		one(b, t, ids)
	}
	return b.String()
}

// selectHeadersOf reads headers from all their tables, in no order.
func selectHeadersOf(ids []envelope.ID) string {
	return idsByTable(ids, func(b *layout.Text, t layout.DayTable, ids []envelope.ID) {
		b.Add("SELECT ", layout.HeaderColumns, " FROM ", t.Envelopes(), " WHERE order_id IN (")
		b.IDs(ids)
		b.Add(")")
	})
}

// selectShareRanges reads shares from all their tables, in no order.
func selectShareRanges(ranges []newSharesOf) string {
	b := &layout.Text{}
	rangesByTable(b, ranges, func(t layout.DayTable, ranges []newSharesOf) {
		b.Add("SELECT ", layout.ShareColumns, " FROM ", t.Shares(), " FORCE INDEX (PRIMARY) WHERE ")
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
	b := &layout.Text{}
	b.Add("INSERT INTO transfer (order_id, seq, payee_id, amount_fen, charged_fen, tier, batch, created_at, due_at) ")
	rangesByTable(b, ranges, func(t layout.DayTable, ranges []newSharesOf) {
		b.Add("SELECT s.order_id, s.seq, s.user_id, s.amount_fen, e.total_fen, " + layout.TierOfAmount + ", ")
		if head == "" {
			b.Add("''")
		} else {
			b.Quoted(envelope.PayoutBatchNo(head))
		}
		b.Add(", s.opened_at, UTC_TIMESTAMP(3) FROM ", t.Shares(), " s FORCE INDEX (PRIMARY) STRAIGHT_JOIN ", t.Envelopes(), " e ON e.order_id = s.order_id WHERE ")
		addRanges(b, "s.", ranges)
	})
	b.Add(" ON DUPLICATE KEY UPDATE round = transfer.round")
	return b.String()
}

func AppendEnqueue(b *layout.Text, ids []envelope.ID) {
	b.Add("INSERT INTO outbox (touched, state, created_at) VALUES ")
	for i := 0; len(ids) > 0; i++ {
		n := min(len(ids), touchedMax)
		if i > 0 {
			b.Add(",")
		}
		b.Add("('")
		for _, id := range ids[:n] {
			b.Add(string(id))
		}
		b.Add("','pending',UTC_TIMESTAMP(3))")
		ids = ids[n:]
	}
}

func updateSpread(rows []int64) string {
	b := &layout.Text{}
	// Left to itself the server reads the whole table for a few ids, and so waits
	// for rows that others have locked (FG10).
	b.Add("UPDATE outbox FORCE INDEX (PRIMARY) SET state = 'spread' WHERE id IN (")
	for i, id := range rows {
		if i > 0 {
			b.Add(",")
		}
		b.Int(id)
	}
	b.Add(")")
	return b.String()
}

// selectUnspread reads which shares of some envelopes have no transfer yet: from
// the position after the last one that has, to the last that is opened.
func selectUnspread(ids []envelope.ID) string {
	return idsByTable(ids, func(b *layout.Text, t layout.DayTable, ids []envelope.ID) {
		b.Add("SELECT e.order_id, COALESCE((SELECT t.seq FROM transfer t WHERE t.order_id = e.order_id ORDER BY t.seq DESC LIMIT 1), 0) + 1, e.opened_count FROM ",
			t.Envelopes(), " e WHERE e.order_id IN (")
		b.IDs(ids)
		b.Add(")")
	})
}

// selectUnsettled reads which of some envelopes are finished and not settled yet,
// in no order.
func selectUnsettled(ids []envelope.ID) string {
	return idsByTable(ids, func(b *layout.Text, t layout.DayTable, ids []envelope.ID) {
		b.Add("SELECT order_id FROM ", t.Envelopes(), " FORCE INDEX (PRIMARY) WHERE state IN ('empty', 'expired') AND order_id IN (")
		b.IDs(ids)
		b.Add(")")
	})
}

// upsertDeliveries makes the deliveries of some envelopes pending, one a topic. One
// that was made a moment ago stays delayed until it is due. MySQL assigns from left to
// right, so state comes last.
func upsertDeliveries(ids []envelope.ID) string {
	b := &layout.Text{}
	b.Add("INSERT INTO delivery (order_id, topic, state, due_at, since) VALUES ")
	for i, id := range ids {
		if i > 0 {
			b.Add(",")
		}
		b.Add("('", string(id), "','book','pending',UTC_TIMESTAMP(3),UTC_TIMESTAMP(3)),('", string(id), "','event','pending',UTC_TIMESTAMP(3),UTC_TIMESTAMP(3))")
	}
	b.Add(" ON DUPLICATE KEY UPDATE ", oweMore)
	return b.String()
}

const oweMore = "wanted = wanted + 1, due_at = IF(state = 'idle', GREATEST(due_at, UTC_TIMESTAMP(3)), due_at), " +
	"since = IF(state = 'idle', UTC_TIMESTAMP(3), since), state = IF(state = 'parked', 'parked', 'pending')"

// updateDeliveries is upsertDeliveries where they are there already, at half the
// cost.
func updateDeliveries(ids []envelope.ID) string {
	b := &layout.Text{}
	b.Add("UPDATE delivery FORCE INDEX (PRIMARY) SET ", oweMore, " WHERE topic IN ('book', 'event') AND order_id IN (")
	b.IDs(ids)
	b.Add(")")
	return b.String()
}

func claimDeliveries(ids []envelope.ID) string {
	b := &layout.Text{}
	b.Add("UPDATE delivery FORCE INDEX (PRIMARY) SET attempts = attempts + 1, due_at = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND WHERE topic = ? AND order_id IN (")
	b.IDs(ids)
	b.Add(")")
	return b.String()
}

// finishDeliveries records what receivers know. A claim that is not the latest
// matches nothing. The order of the join is fixed: a plan that went through the
// deliveries instead would lock them all. Rows of JSON cost the server a third
// less than as many SELECTs.
func finishDeliveries(b *layout.Text, ds []envelope.Delivery) {
	b.Add("UPDATE JSON_TABLE('[")
	for i := range ds {
		d := &ds[i]
		if i > 0 {
			b.Add(",")
		}
		b.Add(`["`, string(d.ID), `","`, string(d.Topic), `",`)
		for _, n := range []int64{int64(d.At.Stage), int64(d.At.Seq), d.Wanted, int64(d.Attempts)} {
			b.Int(n)
			b.Add(",")
		}
		b.Add(`"`, d.Since.UTC().Format(datetime), `"]`)
	}
	b.Add("]', '$[*]' COLUMNS (id CHAR(23) CHARACTER SET ascii COLLATE ascii_bin PATH '$[0]', topic VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin PATH '$[1]', " +
		"stage INT PATH '$[2]', seq INT PATH '$[3]', wanted BIGINT PATH '$[4]', attempts INT PATH '$[5]', since DATETIME(3) PATH '$[6]')) x " +
		"STRAIGHT_JOIN delivery d ON d.order_id = x.id AND d.topic = x.topic SET d.stage = x.stage, d.seq = x.seq, d.attempts = 0, d.reason = '', " +
		"d.due_at = UTC_TIMESTAMP(3) + INTERVAL IF(d.topic = 'book', ")
	b.Int(bookRest.Microseconds())
	b.Add(", ")
	b.Int(eventRest.Microseconds())
	b.Add(") MICROSECOND, d.since = UTC_TIMESTAMP(3), d.state = IF(d.wanted = x.wanted, 'idle', 'pending') " +
		"WHERE d.state = 'pending' AND d.attempts = x.attempts AND d.since = x.since")
}

// datetime is a point in time, in UTC, as DATETIME(3) keeps it.
const datetime = "2006-01-02 15:04:05.000"

func selectRefunds(ids []envelope.ID) string {
	b := &layout.Text{}
	b.Add("SELECT order_id, amount_fen, posted_at FROM transfer WHERE seq = 0 AND state = 'posted' AND order_id IN (")
	b.IDs(ids)
	b.Add(")")
	return b.String()
}

func lockTransfers(keys []layout.TransferKey) string {
	b := &layout.Text{}
	b.Add("SELECT ", layout.TransferColumns, ", batch FROM transfer FORCE INDEX (PRIMARY) WHERE ")
	layout.AddKeys(b, keys)
	b.Add(" ORDER BY order_id, seq FOR UPDATE")
	return b.String()
}

func claimTransfers(keys []layout.TransferKey) string {
	b := &layout.Text{}
	b.Add("UPDATE transfer FORCE INDEX (PRIMARY) SET placed = TRUE, placed_at = COALESCE(placed_at, UTC_TIMESTAMP(3)), attempts = attempts + 1, due_at = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND WHERE ")
	layout.AddKeys(b, keys)
	return b.String()
}

// updateRecorded stores what was heard. Strings that the provider made are
// placeholders; the arguments are for them.
func updateRecorded(b *layout.Text, ts []Stored) (args []any) {
	b.Add("UPDATE (")
	for i := range ts {
		t := &ts[i]
		if i > 0 {
			b.Add(" UNION ALL ")
		}
		b.Add("SELECT '", string(t.OrderNo), "' AS id, ")
		b.Int(int64(t.Seq))
		b.Add(" AS seq, ")
		b.Quoted(string(t.State))
		b.Add(" AS state, ", strconv.FormatBool(t.Placed), " AS placed, ? AS number, ? AS hint, ? AS reason, ")
		b.Int(t.Wait)
		b.Add(" AS wait")
		args = append(args, t.ProviderNo, t.Hint, t.Reason)
	}
	b.Add(") x STRAIGHT_JOIN transfer t ON t.order_id = x.id AND t.seq = x.seq SET t.state = x.state, t.placed = x.placed, t.provider_no = x.number, " +
		"t.hint = x.hint, t.reason = x.reason, t.due_at = UTC_TIMESTAMP(3) + INTERVAL x.wait MICROSECOND, " +
		"t.posted_at = IF(x.state = 'posted', UTC_TIMESTAMP(3), NULL)")
	return args
}

// countPosted waits for transactions that are posting transfers of these envelopes.
func countPosted(ids []envelope.ID) string {
	b := &layout.Text{}
	b.Add("SELECT order_id, COUNT(*) FROM transfer FORCE INDEX (PRIMARY) WHERE state = 'posted' AND order_id IN (")
	b.IDs(ids)
	b.Add(") GROUP BY order_id LOCK IN SHARE MODE")
	return b.String()
}

func updateSettled(t layout.DayTable, ids []envelope.ID) string {
	b := &layout.Text{}
	// By state, the server would lock envelopes that are settled elsewhere.
	b.Add("UPDATE ", t.Envelopes(), " FORCE INDEX (PRIMARY) SET state = 'settled', ver = ver + 1 WHERE state IN ('empty', 'expired') AND order_id IN (")
	b.IDs(ids)
	b.Add(")")
	return b.String()
}
