package simulator

import (
	"context"
	"net/http"

	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/lies"
	"hongbao/internal/payment/simulator/refusal"
	"hongbao/internal/payment/simulator/wire"
)

// native places an order. A repeat gets the code_url of the first.
func (s *Simulator) native(_ *http.Request, body []byte) (call, error) {
	var req wire.NativeRequest
	if err := refusal.ReadJSON(body, &req); err != nil {
		return call{}, err
	}
	want, err := s.rules.Terms(&req)
	if err != nil {
		return call{}, err
	}
	return call{lies.Operation{Kind: ledger.KindCharge, No: req.OrderNo}, true, func(ctx context.Context) (any, error) {
		return s.place(ctx, req.OrderNo, want)
	}}, nil
}

func (s *Simulator) place(ctx context.Context, no string, want *ledger.OrderTerms) (any, error) {
	err := s.journal.Commit(ctx, func(b *ledger.Book) (*ledger.Record, error) { return b.Place(no, want, s.cfg.Now()) })
	if err != nil {
		return nil, err
	}
	o, err := s.journal.Book.Order(no)
	if err != nil {
		return nil, err
	}
	return wire.NativeAnswer{CodeURL: s.cfg.PublicURL + "/pay/" + o.Token}, nil
}
