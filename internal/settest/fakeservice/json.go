package fakeservice

import "hongbao/envelope"

// The bodies of the API, as far as they are served here.
type (
	order struct {
		Kind      envelope.Kind    `json:"kind"`
		Total     envelope.Fen     `json:"total_fen"`
		Share     envelope.Fen     `json:"share_fen"`
		Count     int              `json:"count"`
		Group     envelope.GroupID `json:"group_id"`
		Recipient envelope.UserID  `json:"recipient_id"`
	}
	sent struct {
		ID         envelope.ID    `json:"id"`
		State      envelope.State `json:"state"`
		Commitment string         `json:"draw_commitment"`
		Payment    payment        `json:"payment"`
	}
	payment struct {
		CodeURL string `json:"code_url"`
	}
	opening struct {
		Outcome envelope.Outcome `json:"outcome"`
		Amount  envelope.Fen     `json:"amount_fen"`
		Seq     int              `json:"seq"`
	}
	shown struct {
		ID          envelope.ID    `json:"id"`
		Kind        envelope.Kind  `json:"kind"`
		State       envelope.State `json:"state"`
		Total       envelope.Fen   `json:"total_fen"`
		Count       int            `json:"count"`
		ShareMin    envelope.Fen   `json:"share_min_fen"`
		ShareMax    envelope.Fen   `json:"share_max_fen"`
		Opened      envelope.Fen   `json:"opened_fen"`
		OpenedCount int            `json:"opened_count"`
		Remaining   envelope.Fen   `json:"remaining_fen"`
		Commitment  string         `json:"draw_commitment"`
		Seed        string         `json:"draw_seed,omitempty"`
		Ticket      string         `json:"ticket,omitempty"`
		Shares      []share        `json:"shares"`
	}
	share struct {
		User     envelope.UserID `json:"user_id"`
		Amount   envelope.Fen    `json:"amount_fen"`
		Seq      int             `json:"seq"`
		BestLuck bool            `json:"best_luck"`
	}
)

// shown is the envelope as its sender sees it: with the seed once it is finished,
// and with the ticket once it is paid.
func (s *stored) shown(seed envelope.Seed) shown {
	e := &s.e
	out := shown{ID: e.ID, Kind: e.Kind, State: e.State, Total: e.Total, Count: e.Count, ShareMin: e.ShareMin, ShareMax: e.ShareMax,
		Opened: e.Opened, OpenedCount: e.OpenedCount, Remaining: e.Remaining(), Commitment: e.Commitment.Hex(), Shares: []share{}}
	if e.State.Finished() {
		out.Seed = seed.Hex()
	}
	if e.State != envelope.Unpaid {
		out.Ticket = "ticket"
	}
	best := envelope.BestLuck(e, s.shares)
	for _, one := range s.shares {
		out.Shares = append(out.Shares, share{User: one.User, Amount: one.Amount, Seq: one.Seq, BestLuck: one.Seq == best})
	}
	return out
}
