package main_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hongbao/internal/settest"
)

// FS11: no share is promised that the provider would not pay out. The simulated
// one refuses less than ten fen here, so CheckBooks finds every payout posted.
func TestSharesTooSmallToPayAreNotSent(t *testing.T) {
	p := settest.Playground(t, "--share-min", "10")
	for body, field := range map[string]string{
		`{"kind":"lucky","total_fen":49,"count":5,"group_id":"g"}`:                        "total_fen",
		`{"kind":"lucky","total_fen":9,"count":1,"group_id":"g"}`:                         "total_fen",
		`{"kind":"equal","share_fen":9,"count":5,"group_id":"g"}`:                         "share_fen",
		`{"kind":"exclusive","total_fen":9,"group_id":"g","recipient_id":"small-friend"}`: "total_fen",
	} {
		a, err := p.Call(t.Context(), http.MethodPost, "/v1/envelopes", "small", body, "Idempotency-Key", "k"+fmt.Sprint(len(body)), "Content-Type", "application/json")
		if err != nil {
			t.Fatal(err)
		}
		if a.Status != http.StatusBadRequest || !strings.Contains(string(a.Body), field) || !strings.Contains(string(a.Body), "10 to 20000") {
			t.Errorf("%s: %d %s", body, a.Status, a.Body)
		}
	}
	c := newCrowd(p)
	for _, body := range []string{
		`{"kind":"lucky","total_fen":50,"count":5,"group_id":"g"}`, `{"kind":"lucky","total_fen":61,"count":5,"group_id":"g"}`,
		`{"kind":"lucky","total_fen":1000,"count":5,"group_id":"g"}`, `{"kind":"equal","share_fen":10,"count":5,"group_id":"g"}`,
	} {
		id, ticket := p.Paid(t, "sender", body)
		for i := range 5 {
			if err := c.open(context.WithoutCancel(t.Context()), id, ticket, fmt.Sprintf("opener-%d", i)); err != nil {
				t.Fatal(err)
			}
		}
		s := show(t, p, "sender", id)
		verify(t, s)
		for _, share := range s.Shares {
			if share.AmountFen < 10 {
				t.Errorf("%s: share %d is %d fen", body, share.Seq, share.AmountFen)
			}
		}
		awaitMoney(t, p, id, "sender", "", "the end", func(m money) bool { return m.State == "settled" })
	}
	log, err := os.ReadFile(filepath.Join(p.Dir, "hongbaod.log"))
	if err != nil || strings.Contains(string(log), "limits.share_min_fen") {
		t.Errorf("%v; a warning about what is set well", err)
	}
}
