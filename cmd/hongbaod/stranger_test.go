package main_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"hongbao/internal/settest"
)

// A stranger's script: it knows playground.json, the API, the audit DSNs and
// the text of the draw, and none of our packages.
func TestAStrangerFindsFiftyEnvelopesRight(t *testing.T) {
	p := settest.Playground(t)
	const envelopes, users = 50, 300
	orders := []string{
		`{"kind":"lucky","total_fen":30000,"count":40,"group_id":"g"}`,
		`{"kind":"equal","share_fen":250,"count":25,"group_id":"g"}`,
		`{"kind":"exclusive","total_fen":520,"recipient_id":"user-7","group_id":"g"}`,
	}
	tickets := map[string]string{}
	for i := range envelopes {
		id, ticket := p.Paid(t, "sender", orders[i%len(orders)])
		tickets[id] = ticket
	}
	ctx, cancel := context.WithTimeout(t.Context(), answerMax)
	defer cancel()
	open := func(id, ticket, user string, want ...int) {
		a, err := p.Call(ctx, http.MethodPost, "/v1/envelopes/"+id+"/open", user, "", "Envelope-Ticket", ticket)
		if err != nil {
			t.Error(err)
			return
		}
		for _, status := range want {
			if a.Status == status {
				return
			}
		}
		t.Errorf("open %s as %s: %d %s, want one of %v", id, user, a.Status, a.Body, want)
	}
	var crowd sync.WaitGroup
	for u := range users {
		crowd.Go(func() {
			user := fmt.Sprintf("user-%d", u)
			for id, ticket := range tickets {
				switch {
				case u%10 == 3: // an outsider
					open(id, "AQEAAAAAAAAAAAAAAAAAAAAA", user, http.StatusNotFound)
				case u%5 == 0: // asks twice
					open(id, ticket, user, http.StatusOK, http.StatusNotFound)
					fallthrough
				default: // 404: not the one an exclusive envelope names
					open(id, ticket, user, http.StatusOK, http.StatusNotFound)
				}
			}
		})
	}
	crowd.Wait()
	for id, ticket := range tickets {
		open(id, ticket, "user-7", http.StatusOK) // late: empty, or the share from before
		s := show(t, p, "sender", id)
		if s.State != "empty" && s.State != "settled" || len(s.Shares) != s.Count {
			t.Errorf("%s is %s with %d of %d shares", id, s.State, len(s.Shares), s.Count)
		}
		if s.Kind == "lucky" {
			recompute(t, s)
		}
	}
	everyTable(t, p)
}

// recompute is the draw, written from its text.
func recompute(t *testing.T, s shown) {
	t.Helper()
	seed, err := hex.DecodeString(s.Seed)
	if err != nil || fmt.Sprintf("%x", sha256.Sum256(seed)) != s.Commitment {
		t.Errorf("%s: seed %q was not committed to", s.ID, s.Seed)
		return
	}
	const most = 20000
	rest := s.TotalFen
	for i, one := range s.Shares {
		m := int64(s.Count - i)
		want := rest
		if m > 1 {
			lo, hi := max(1, rest-(m-1)*most), min(most, 2*rest/m, rest-(m-1))
			span := uint64(hi - lo + 1)
			for j := uint32(0); ; j++ {
				mac := hmac.New(sha256.New, seed)
				mac.Write([]byte("share"))
				mac.Write(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(i+1)), j))
				x := binary.BigEndian.Uint64(mac.Sum(nil))
				if tail := (^uint64(0)%span + 1) % span; x <= ^uint64(0)-tail {
					want = lo + int64(x%span)
					break
				}
			}
		}
		if one.Seq != int64(i+1) || one.AmountFen != want {
			t.Errorf("%s: share %d is %d fen at position %d, recomputed %d", s.ID, i+1, one.AmountFen, one.Seq, want)
		}
		rest -= one.AmountFen
	}
}

// everyTable asks SQL for violations of I1, I2, I4 and I5; each query must
// find nothing.
func everyTable(t *testing.T, p *settest.Live) {
	t.Helper()
	queries := map[string]string{
		"I1": `SELECT COUNT(*) FROM (SELECT e.order_id FROM envelope_%[1]s e LEFT JOIN share_%[1]s s USING (order_id) GROUP BY e.order_id
			HAVING COALESCE(SUM(s.amount_fen), 0) <> MAX(e.opened_fen) OR COUNT(s.seq) <> MAX(e.opened_count) OR MAX(e.opened_fen) + MAX(e.refunded_fen) > MAX(e.total_fen)) x`,
		"I2": `SELECT COUNT(*) FROM (SELECT order_id FROM share_%[1]s GROUP BY order_id, user_id HAVING COUNT(*) > 1) x`,
		"I4": `SELECT COUNT(*) FROM (SELECT order_id FROM share_%[1]s GROUP BY order_id HAVING MIN(seq) <> 1 OR MAX(seq) <> COUNT(*)) x`,
		"I5": `SELECT COUNT(*) FROM (SELECT s.amount_fen a, e.count - s.seq n, e.total_fen - SUM(s.amount_fen) OVER (PARTITION BY s.order_id ORDER BY s.seq) rem
			FROM share_%[1]s s JOIN envelope_%[1]s e USING (order_id)) x WHERE a < 1 OR a > 20000 OR rem < n OR (n = 0 AND rem <> 0)`,
	}
	found := 0
	for _, db := range p.Audit {
		rows, err := db.Query(`SELECT SUBSTRING(table_name, 10) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'envelope\_%'`)
		if err != nil {
			t.Fatal(err)
		}
		var suffixes []string
		for rows.Next() {
			var suffix string
			if err := rows.Scan(&suffix); err != nil {
				t.Fatal(err)
			}
			suffixes = append(suffixes, suffix)
		}
		rows.Close()
		for _, suffix := range suffixes {
			var stored int
			if err := db.QueryRow("SELECT COUNT(*) FROM envelope_" + suffix).Scan(&stored); err != nil {
				t.Fatal(err)
			}
			found += stored
			for invariant, query := range queries {
				var n int
				if err := db.QueryRow(fmt.Sprintf(query, suffix)).Scan(&n); err != nil || n != 0 {
					t.Errorf("%s does not hold in envelope_%s: %d envelopes, %v", invariant, suffix, n, err)
				}
			}
		}
	}
	if found == 0 {
		t.Error("SQL sees no envelope at all")
	}
}
