package books

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"hongbao/envelope"
)

// TestShardsOfUsersAreFrozen holds what every stored row depends on.
func TestShardsOfUsersAreFrozen(t *testing.T) {
	for user, want := range map[envelope.UserID][3]int{ // of 3, 16 and 100 shards
		"alice": {2, 4, 36}, "bob": {1, 0, 52}, "BOB": {1, 9, 13}, "user-0": {1, 2, 50}, "user-1": {2, 5, 77},
		"!": {2, 5, 29}, envelope.UserID(strings.Repeat("~", 64)): {0, 5, 89},
	} {
		if got := [3]int{shardOf(user, 3), shardOf(user, 16), shardOf(user, 100)}; got != want {
			t.Errorf("%q: %v, want %v", user, got, want)
		}
	}
}

func TestUsersSpreadEvenly(t *testing.T) {
	const users, shards = 100_000, 16
	var count [shards]int
	for i := range users {
		count[shardOf(envelope.UserID(fmt.Sprintf("user-%06d", i)), shards)]++
	}
	for shard, n := range count {
		if n < users/shards*95/100 || n > users/shards*105/100 {
			t.Errorf("shard %d has %d of %d users", shard, n, users)
		}
	}
}

func someID() envelope.ID { return envelope.Body(1_000_000 << 22).In(3) }

func FuzzACursorIsReadBackOrRefused(f *testing.F) {
	f.Add(position{time.UnixMilli(1_800_000_000_123), someID()}.cursor())
	f.Add("")
	f.Add(strings.Repeat("A", base64.RawURLEncoding.EncodedLen(positionBytes)))
	f.Fuzz(func(t *testing.T, cursor string) {
		p, err := parseCursor(cursor)
		if err == nil && cursor != "" && p.cursor() != cursor {
			t.Errorf("%q was read as %+v, which is %q", cursor, p, p.cursor())
		}
	})
}

func TestRowsOfSeveralFactsAreMerged(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	e := envelope.Envelope{ID: someID(), Kind: envelope.Lucky, State: envelope.Expired, Sender: "alice", Total: 10, Count: 3, PaidAt: at}
	shares := []envelope.Share{{Seq: 1, User: "bob", Amount: 2, OpenedAt: at}, {Seq: 2, User: "alice", Amount: 3, OpenedAt: at}}
	facts := []envelope.Fact{
		{Kind: envelope.FactActive, Envelope: e},
		{Kind: envelope.FactOpened, Envelope: e, Shares: shares},
		{Kind: envelope.FactFinished, Envelope: e, Shares: shares, BestLuck: 2},
		{Kind: envelope.FactRefunded, Envelope: e, Refund: envelope.Refund{Amount: 5, PostedAt: at}},
		{Kind: envelope.FactOpened, Envelope: e, Shares: shares[:1]},
	}
	all := entriesOf(facts)
	if len(all.sent) != 1 || all.sent[0].Refunded != 5 {
		t.Errorf("sent: %+v, want one row with 5 fen refunded", all.sent)
	}
	if len(all.received) != 2 || !all.received[0].BestLuck || all.received[1].BestLuck || all.received[0].User != "alice" {
		t.Errorf("received: %+v, want alice with the best luck, then bob", all.received)
	}
	if years := all.years(); len(years) != 2 {
		t.Errorf("years: %v, want one for each of two users", years)
	}
}

func TestChunksAreBoundedAndLoseNothing(t *testing.T) {
	all := entries{received: make([]ReceivedRow, 25), sent: make([]SentRow, 7)}
	received, sent := 0, 0
	for part := range all.chunks(10) {
		if len(part.received) > 10 || len(part.sent) > 10 {
			t.Errorf("a chunk of %d and %d rows", len(part.received), len(part.sent))
		}
		received, sent = received+len(part.received), sent+len(part.sent)
	}
	if received != 25 || sent != 7 {
		t.Errorf("%d and %d rows in chunks, want 25 and 7", received, sent)
	}
}
