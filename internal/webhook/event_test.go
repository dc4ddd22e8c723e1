package webhook

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"hongbao/envelope"
)

func messages(t *testing.T, s *envelope.Statement, at envelope.Cursor) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, f := range owed(t, s, at) {
		m, err := write(&f, tickets(t))
		if err != nil {
			t.Fatal(err)
		}
		id, ok := strings.CutPrefix(m.id, string(s.Envelope.ID))
		if !ok || strings.Contains(m.id, ".") {
			t.Errorf("%s: want the order ID in front and no full stop", m.id)
		}
		all[id] = string(m.body)
	}
	return all
}

func TestEventsSayWhatHappened(t *testing.T) {
	s := life(envelope.Expired, 2)
	id, ticket := string(s.Envelope.ID), tickets(t).Mint(s.Envelope.ID)
	want := map[string]string{
		"-active": `{"type":"envelope.active","timestamp":"2026-11-23T04:00:00.000Z","data":{"envelope_id":"` + id +
			`","group_id":"g-1","sender_id":"ann","kind":"lucky","count":3,"total_fen":1000,"greeting":"恭喜发财 <&\"","expires_at":"2026-11-24T04:00:00.000Z","ticket":"` + ticket + `"}}`,
		"-opened-1-2": `{"type":"share.opened","timestamp":"2026-11-23T04:00:02.000Z","data":{"envelope_id":"` + id +
			`","group_id":"g-1","count":3,"opened_count":2,"shares":[{"user_id":"bob","amount_fen":300,"seq":1,"opened_at":"2026-11-23T04:00:01.000Z"},{"user_id":"cat","amount_fen":500,"seq":2,"opened_at":"2026-11-23T04:00:02.000Z"}]}}`,
		"-finished": `{"type":"envelope.finished","timestamp":"2026-11-23T05:00:00.000Z","data":{"envelope_id":"` + id +
			`","group_id":"g-1","state":"expired","count":3,"opened_count":2,"opened_fen":800,"best_luck":{"user_id":"cat","amount_fen":500,"seq":2},"finished_at":"2026-11-23T05:00:00.000Z"}}`,
		"-refunded": `{"type":"envelope.refunded","timestamp":"2026-11-23T06:00:00.000Z","data":{"envelope_id":"` + id +
			`","group_id":"g-1","sender_id":"ann","refunded_fen":200,"refunded_at":"2026-11-23T06:00:00.000Z"}}`,
	}
	if diff := cmp.Diff(want, messages(t, s, envelope.Cursor{})); diff != "" {
		t.Error(diff)
	}
}

// TestALateEventHasTheSameBytes holds because a relay that was away finds an
// envelope that has moved on since.
func TestALateEventHasTheSameBytes(t *testing.T) {
	told := messages(t, life(envelope.Active, 0), envelope.Cursor{})
	for id, body := range messages(t, life(envelope.Active, 2), envelope.Cursor{Stage: envelope.StageActive}) {
		told[id] = body
	}
	for _, body := range []struct {
		of *envelope.Statement
		at envelope.Cursor
	}{
		{life(envelope.Empty, 3), envelope.Cursor{Stage: envelope.StageActive, Seq: 2}},
		{life(envelope.Expired, 2), envelope.Cursor{Stage: envelope.StageActive, Seq: 2}},
	} {
		first := messages(t, body.of, body.at)
		settled := *body.of
		settled.Envelope.State, settled.Envelope.Ver = envelope.Settled, 99
		if diff := cmp.Diff(first, messages(t, &settled, body.at)); diff != "" {
			t.Errorf("%s, settled since: %s", body.of.Envelope.State, diff)
		}
	}
	late := messages(t, life(envelope.Settled, 3), envelope.Cursor{})
	if late["-active"] != told["-active"] {
		t.Errorf("active, told late: %s", cmp.Diff(told["-active"], late["-active"]))
	}
	two := life(envelope.Settled, 3)
	two.Shares = two.Shares[:2] // as read earlier
	if again := messages(t, two, envelope.Cursor{Stage: envelope.StageActive}); again["-opened-1-2"] != told["-opened-1-2"] {
		t.Errorf("opened, told late: %s", cmp.Diff(told["-opened-1-2"], again["-opened-1-2"]))
	}
}

func TestOtherSharesAreAnotherEvent(t *testing.T) {
	s := life(envelope.Active, 2)
	seen := map[string]bool{}
	for _, at := range []envelope.Cursor{{Stage: envelope.StageActive}, {Stage: envelope.StageActive, Seq: 1}} {
		for id := range messages(t, s, at) {
			seen[id] = true
		}
	}
	if !seen["-opened-1-2"] || !seen["-opened-2-2"] || len(seen) != 2 {
		t.Errorf("events %v", seen)
	}
}

func TestExclusiveEventsHaveNoBestLuck(t *testing.T) {
	s := life(envelope.Expired, 0)
	s.Envelope.Kind, s.Envelope.Recipient = envelope.Exclusive, "bob"
	all := messages(t, s, envelope.Cursor{})
	if !strings.Contains(all["-active"], `"recipient_id":"bob"`) {
		t.Errorf("active: %s", all["-active"])
	}
	if strings.Contains(all["-finished"], "best_luck") {
		t.Errorf("finished: %s", all["-finished"])
	}
}

func TestFiveHundredSharesFit(t *testing.T) {
	f := envelope.Fact{Kind: envelope.FactOpened, Envelope: life(envelope.Active, 0).Envelope}
	for seq := range 500 {
		f.Shares = append(f.Shares, envelope.Share{Seq: seq + 1, User: envelope.UserID(strings.Repeat(`\`, 64)), Amount: 20000, OpenedAt: noon()})
	}
	m, err := write(&f, tickets(t))
	if err != nil || !jsontext.Value(m.body).IsValid() {
		t.Errorf("%d bytes, %v", len(m.body), err)
	}
	f.Shares = append(f.Shares, f.Shares...)
	if m, err := write(&f, tickets(t)); err == nil {
		t.Errorf("1,000 shares are %d bytes, want at most %d", len(m.body), BodyBytesMax)
	}
}

func TestWhatIsNoFactIsNotSent(t *testing.T) {
	e := newEndpoint(t, saying(204))
	s := e.sender(t, nil)
	header := life(envelope.Active, 1).Envelope
	broken := header
	broken.Greeting = "\xff"
	for name, f := range map[string]envelope.Fact{
		"no kind":     {Envelope: header},
		"no share":    {Kind: envelope.FactOpened, Envelope: header},
		"broken text": {Kind: envelope.FactActive, Envelope: broken},
	} {
		if err := tell(t, s, f); err == nil || !strings.Contains(err.Error(), string(header.ID)) {
			t.Errorf("%s: %v, want an error that names the envelope", name, err)
		}
	}
	if n := len(e.requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}
