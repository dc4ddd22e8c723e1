package main_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"hongbao/internal/settest"
)

// shown is GET /v1/envelopes/{id}.
type shown struct {
	ID         string `json:"id"`
	Kind       string `json:"kind"`
	State      string `json:"state"`
	TotalFen   int64  `json:"total_fen"`
	Count      int    `json:"count"`
	ShareMin   int64  `json:"share_min_fen"`
	OpenedFen  int64  `json:"opened_fen"`
	Opened     int    `json:"opened_count"`
	Commitment string `json:"draw_commitment"`
	Seed       string `json:"draw_seed"`
	Shares     []struct {
		UserID    string `json:"user_id"`
		AmountFen int64  `json:"amount_fen"`
		Seq       int64  `json:"seq"`
		BestLuck  bool   `json:"best_luck"`
	} `json:"shares"`
}

func show(t *testing.T, p *settest.Live, user, id string) (s shown) {
	t.Helper()
	a, err := p.Call(t.Context(), http.MethodGet, "/v1/envelopes/"+id, user, "")
	if err != nil {
		t.Fatal(err)
	}
	if a.Status != http.StatusOK {
		t.Fatalf("show %s as %s: %d %s", id, user, a.Status, a.Body)
	}
	if err := json.Unmarshal(a.Body, &s); err != nil {
		t.Fatal(err)
	}
	return s
}
