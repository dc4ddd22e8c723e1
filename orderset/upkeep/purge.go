package upkeep

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/layout"
)

const (
	purgeMax   = 1000 // rows in one DELETE
	purgePause = 20 * time.Millisecond
	// purgeAgeMin keeps what people and relays may still be at.
	purgeAgeMin = time.Minute
)

const (
	selectOldSpread = "SELECT id, created_at < UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND FROM outbox WHERE state = 'spread' ORDER BY id LIMIT ?"
	deleteSpread    = "DELETE FROM outbox WHERE state = 'spread' AND id <= ? ORDER BY id LIMIT ?"
	selectIdle      = "SELECT order_id, stage, due_at FROM delivery WHERE topic = ? AND state = 'idle' " +
		"AND (due_at > ? OR due_at = ? AND order_id > ?) AND due_at < UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND " +
		"ORDER BY due_at, order_id LIMIT ?"
)

// Purge deletes what is of no more use: outbox rows that were spread, and
// deliveries that have told all there is about envelopes whose life is over, each
// older than the given age, a minute at least. It returns how many rows it has
// deleted. It takes a thousand at a time and pauses between.
func (m *Maintainer) Purge(ctx context.Context, olderThan time.Duration) (int, error) {
	if olderThan < purgeAgeMin {
		return 0, fmt.Errorf("SET %v: purge: want an age of at least %v, have %v", m.Number(), purgeAgeMin, olderThan)
	}
	purged, err := m.purgeOutbox(ctx, olderThan)
	for _, topic := range []envelope.Topic{envelope.TopicCharge, envelope.TopicBook, envelope.TopicEvent} {
		if err == nil {
			var n int
			n, err = m.purgeDeliveries(ctx, topic, olderThan)
			purged += n
		}
	}
	if err != nil {
		return purged, fmt.Errorf("SET %v: purge: %w", m.Number(), err)
	}
	return purged, nil
}

// purgeOutbox goes by the order of the ids, which is that of the ages but for
// moments: a younger row below an older one goes with it.
func (m *Maintainer) purgeOutbox(ctx context.Context, olderThan time.Duration) (purged int, err error) {
	for {
		last, old, rows := int64(0), 0, 0
		err := mariadb.Each(ctx, m.db, func(row *sql.Rows) error {
			var id int64
			var isOld bool
			if err := row.Scan(&id, &isOld); err != nil {
				return err
			}
			if rows++; isOld {
				last, old = id, old+1
			}
			return nil
		}, selectOldSpread, olderThan.Microseconds(), purgeMax)
		if err != nil || old == 0 {
			return purged, err
		}
		res, err := m.db.ExecContext(ctx, deleteSpread, last, purgeMax)
		if err != nil {
			return purged, err
		}
		n, err := res.RowsAffected()
		purged += int(n)
		if err != nil || rows < purgeMax {
			return purged, err
		}
		if err := pause(ctx); err != nil {
			return purged, err
		}
	}
}

// idleDelivery is one that owes nothing at the moment.
type idleDelivery struct {
	id    envelope.ID
	stage envelope.Stage
	due   time.Time
}

// purgeDeliveries walks the idle deliveries of a topic by age. Those whose
// envelope lives on are passed by.
func (m *Maintainer) purgeDeliveries(ctx context.Context, topic envelope.Topic, olderThan time.Duration) (purged int, err error) {
	at := idleDelivery{due: time.Unix(0, 0).UTC()}
	for {
		var idle []idleDelivery
		err := mariadb.Each(ctx, m.db, func(rows *sql.Rows) error {
			var d idleDelivery
			err := rows.Scan(&d.id, &d.stage, &d.due)
			idle = append(idle, d)
			return err
		}, selectIdle, topic, at.due, at.due, at.id, olderThan.Microseconds(), purgeMax)
		if err != nil || len(idle) == 0 {
			return purged, err
		}
		at = idle[len(idle)-1]
		n, err := m.purgeIdle(ctx, topic, idle)
		purged += n
		if err != nil || len(idle) < purgeMax {
			return purged, err
		}
		if err := pause(ctx); err != nil {
			return purged, err
		}
	}
}

// purgeIdle deletes those of one batch that can never owe anything again.
func (m *Maintainer) purgeIdle(ctx context.Context, topic envelope.Topic, idle []idleDelivery) (int, error) {
	stage := make(map[envelope.ID]envelope.Stage, len(idle))
	ids := make([]envelope.ID, len(idle))
	for i, d := range idle {
		ids[i], stage[d.id] = d.id, d.stage
	}
	slices.Sort(ids)
	var gone []envelope.ID
	for t, ids := range layout.ByTable(ids) {
		states, err := layout.QueryStates(ctx, m.db, t.SelectStates(ids, false))
		if err != nil && !mariadb.NoSuchTable(err) {
			return 0, err
		}
		for _, e := range states {
			if over(e.State) && (topic == envelope.TopicCharge || stage[e.ID] >= lastStage(&e)) {
				gone = append(gone, e.ID)
			}
		}
	}
	if len(gone) == 0 {
		return 0, nil
	}
	res, err := m.db.ExecContext(ctx, deleteIdle(gone), topic)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return int(n), err
}

// over reports whether a state is one that nothing follows.
func over(s envelope.State) bool { return s == envelope.Settled || s == envelope.Closed }

// lastStage is what a receiver has acknowledged in the end.
func lastStage(e *layout.HeaderState) envelope.Stage {
	switch {
	case e.Refunded > 0:
		return envelope.StageRefunded
	case e.State == envelope.Closed:
		return envelope.StageNone
	}
	return envelope.StageFinished
}

// pause gives others a turn.
func pause(ctx context.Context) error {
	timer := time.NewTimer(purgePause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func deleteIdle(ids []envelope.ID) string {
	b := &layout.Text{}
	b.Add("DELETE FROM delivery WHERE state = 'idle' AND topic = ? AND order_id IN (")
	b.IDs(ids)
	b.Add(")")
	return b.String()
}
