package owed

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/layout"
	"hongbao/orderset/setdb"
)

// The topics beside those of [envelope.Topic], spelled as in SQL.
const (
	TopicOutbox   = "outbox"
	TopicTransfer = "transfer"
)

// Topics are all that people may pause and watch.
func Topics() []string {
	return []string{TopicOutbox, string(envelope.TopicCharge), string(envelope.TopicBook), string(envelope.TopicEvent), TopicTransfer}
}

// Backlog is what waits in a SET, by topic; all five are there.
type Backlog map[string]Waiting

// Waiting is what waits under one topic. Counts end at 100,000: as bad as more.
type Waiting struct {
	Pending int           // or under way
	Oldest  time.Duration // age of the oldest one pending; 0 without any
	Stuck   int           // parked, held or stuck: waits for people
}

// waitingMax bounds what counting costs: some ten milliseconds of index.
const waitingMax = 100_000

const (
	countOutbox = "SELECT COUNT(*), COALESCE(TIMESTAMPDIFF(MICROSECOND, MIN(created_at), UTC_TIMESTAMP(3)), 0), 0 FROM " +
		"(SELECT created_at FROM outbox WHERE state = 'pending' ORDER BY id LIMIT ?) p"
	countDeliveries = "SELECT COUNT(*), COALESCE(TIMESTAMPDIFF(MICROSECOND, MIN(since), UTC_TIMESTAMP(3)), 0), " +
		"(SELECT COUNT(*) FROM (SELECT 1 FROM delivery WHERE topic = ? AND state = 'parked' LIMIT ?) q) FROM " +
		"(SELECT since FROM delivery WHERE topic = ? AND state = 'pending' ORDER BY due_at LIMIT ?) p"
	countTransfers = "SELECT COUNT(*), COALESCE(TIMESTAMPDIFF(MICROSECOND, MIN(created_at), UTC_TIMESTAMP(3)), 0), " +
		"(SELECT COUNT(*) FROM (SELECT 1 FROM transfer WHERE state IN ('held', 'stuck') LIMIT ?) q) + " +
		"(SELECT COALESCE(SUM(count), 0) FROM payout_batch WHERE state = 'pending' AND reason <> '') FROM " +
		"(SELECT created_at FROM transfer WHERE state = 'pending' LIMIT ?) p"
)

// Backlog counts what waits, by indexes alone: it may be asked every few seconds.
// A charge waits from its send until it is paid or closed.
func (s *Store) Backlog(ctx context.Context) (Backlog, error) {
	ctx, cancel := context.WithTimeout(ctx, setdb.TxMax)
	defer cancel()
	all := Backlog{}
	for _, topic := range Topics() {
		query, args := countDeliveries, []any{topic, waitingMax, topic, waitingMax}
		switch topic {
		case TopicOutbox:
			query, args = countOutbox, []any{waitingMax}
		case TopicTransfer:
			query, args = countTransfers, []any{waitingMax, waitingMax}
		}
		var w Waiting
		var age int64
		if err := s.db.QueryRowContext(ctx, query, args...).Scan(&w.Pending, &age, &w.Stuck); err != nil {
			return nil, s.db.Answer("backlog of "+topic, err)
		}
		w.Oldest = max(0, time.Duration(age)*time.Microsecond)
		all[topic] = w
	}
	return all, nil
}

const (
	selectPaused = "SELECT topic, reason FROM pause WHERE paused"
	upsertPaused = "INSERT INTO pause (topic, paused, reason, paused_at) VALUES (?, TRUE, ?, UTC_TIMESTAMP(3)) " +
		"ON DUPLICATE KEY UPDATE paused_at = IF(paused, paused_at, UTC_TIMESTAMP(3)), paused = TRUE, reason = VALUES(reason)"
	updateResumed = "UPDATE pause SET paused = FALSE WHERE topic = ?"
)

// Paused maps the topics that are paused to the reasons.
func (s *Store) Paused(ctx context.Context) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, setdb.TxMax)
	defer cancel()
	paused := map[string]string{}
	err := mariadb.Each(ctx, s.db, func(rows *sql.Rows) error {
		var topic, reason string
		err := rows.Scan(&topic, &reason)
		paused[topic] = reason
		return err
	}, selectPaused)
	return paused, s.db.Answer("read pauses", err)
}

// Pause stops a topic in this SET until it is resumed, in every process.
// Work under way goes on.
func (s *Store) Pause(ctx context.Context, topic, reason string) error {
	if err := checkTopic(topic); err != nil {
		return err
	}
	return s.db.Update(ctx, "pause "+topic, upsertPaused, topic, layout.FitReason(reason))
}

// Resume lets a topic go on. One that is not paused stays as it is.
func (s *Store) Resume(ctx context.Context, topic string) error {
	if err := checkTopic(topic); err != nil {
		return err
	}
	return s.db.Update(ctx, "resume "+topic, updateResumed, topic)
}

func checkTopic(topic string) error {
	if !slices.Contains(Topics(), topic) {
		return &envelope.InvalidError{Field: "topic", Why: fmt.Sprintf("must be one of %v", Topics())}
	}
	return nil
}
