package simulator

import (
	"context"
	"crypto/rand"
	"net/http"
	"time"

	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/lies"
	"hongbao/internal/payment/simulator/refusal"
	"hongbao/internal/payment/simulator/states"
	"hongbao/internal/payment/simulator/wire"
)

// transfer takes a request to pay out. A repeat gets the bill as it stands.
func (s *Simulator) transfer(_ *http.Request, body []byte) (call, error) {
	var req wire.TransferRequest
	if err := refusal.ReadJSON(body, &req); err != nil {
		return call{}, err
	}
	if err := s.rules.CheckTransfer(&req); err != nil {
		return call{}, err
	}
	want := &ledger.TransferTerms{
		OpenID: req.OpenID, AmountFen: req.AmountFen, SceneID: req.SceneID, Remark: req.Remark, NotifyURL: req.NotifyURL, Token: rand.Text(), Account: s.payoutAccount(),
	}
	about := lies.Operation{Kind: ledger.KindPayout, No: req.No, Party: req.OpenID}
	return call{about, true, func(ctx context.Context) (any, error) { return s.acceptTransfer(ctx, about, want) }}, nil
}

func (s *Simulator) acceptTransfer(ctx context.Context, about lies.Operation, want *ledger.TransferTerms) (any, error) {
	var fresh bool
	confirmAfter, closeAfter := s.cfg.ConfirmAfter, confirmWaitMax
	err := s.journal.Commit(ctx, func(b *ledger.Book) (*ledger.Record, error) {
		now := s.cfg.Now()
		r, err := b.AcceptTransfer(about.No, want, now)
		if fresh = r != nil; fresh {
			confirmAfter, closeAfter = s.slow(about, want, now)
		}
		return r, err
	})
	if err != nil {
		return nil, err
	}
	t, err := s.journal.Book.Transfer(about.No)
	if err != nil {
		return nil, err
	}
	// One wait for each payout: a repeat is the same payout.
	if fresh {
		s.awaitPayee(&t, confirmAfter, closeAfter)
	}
	return s.transferAnswer(&t), nil
}

// slow tells the lies about how long it takes, and returns when the payee will
// confirm, and when their time is over.
func (s *Simulator) slow(about lies.Operation, want *ledger.TransferTerms, now time.Time) (confirmAfter, closeAfter time.Duration) {
	confirmAfter, closeAfter = s.cfg.ConfirmAfter, confirmWaitMax
	if told, how := s.liar.Tell(about, lies.SlowPayee); told != "" {
		confirmAfter = lies.Milliseconds(how.LaterMS)
	}
	if told, how := s.liar.Tell(about, lies.AbsentPayee); told != "" {
		confirmAfter, closeAfter = Never, lies.Milliseconds(how.LaterMS)
	}
	if told, how := s.liar.Tell(about, lies.SlowAcceptance); told != "" {
		want.ReadyAt = now.Add(lies.Milliseconds(how.LaterMS))
	}
	return confirmAfter, closeAfter
}

// payoutAccount is what a payout leaves from, as the ledger writes it.
func (s *Simulator) payoutAccount() string {
	if s.cfg.PayoutAccount == ledger.AccountBasic {
		return ""
	}
	return s.cfg.PayoutAccount
}

// awaitPayee has the payee confirm after a while, unless that is [Never], and
// the bill fail at the end of the payee's time.
func (s *Simulator) awaitPayee(t *ledger.Transfer, confirmAfter, closeAfter time.Duration) {
	token, no := t.Token, t.No
	if confirmAfter != Never {
		wait := max(confirmAfter, t.ReadyAt.Sub(t.At))
		s.moves.At(s.in(wait, t.At), func(ctx context.Context) {
			if _, err := s.confirmTransfer(ctx, token); err != nil {
				s.cfg.Log.Debug("not confirmed", "no", no, "error", err)
			}
		})
	}
	if confirmAfter == Never || confirmAfter > closeAfter {
		s.moves.At(s.in(closeAfter, t.At), func(ctx context.Context) { s.endTransfer(ctx, no) })
	}
}

func (s *Simulator) transferAnswer(t *ledger.Transfer) wire.TransferAnswer {
	a := wire.TransferAnswer{No: t.No, BillNo: t.BillNo, CreateTime: wire.Time(t.At), State: t.State(s.cfg.Now()), FailReason: t.Reason}
	if a.State == states.Waiting {
		a.PackageInfo = s.cfg.PublicURL + "/confirm/" + t.Token
	}
	return a
}

// queryTransfer says what became of a payout.
func (s *Simulator) queryTransfer(r *http.Request, _ []byte) (call, error) {
	no := r.PathValue("no")
	t, err := s.journal.Book.Transfer(no)
	return s.tellTransfer(lies.Operation{Kind: ledger.KindPayout, No: no, Party: t.OpenID}, &t, err)
}

// queryBill does so by our number.
func (s *Simulator) queryBill(r *http.Request, _ []byte) (call, error) {
	t, err := s.journal.Book.TransferByBillNo(r.PathValue("id"))
	return s.tellTransfer(lies.Operation{Kind: ledger.KindPayout, No: t.No, Party: t.OpenID}, &t, err)
}

func (s *Simulator) tellTransfer(about lies.Operation, t *ledger.Transfer, err error) (call, error) {
	return call{Operation: about, do: func(context.Context) (any, error) {
		if err != nil {
			return nil, err
		}
		return wire.TransferStatus{
			MerchantID: s.cfg.MerchantID, AppID: s.cfg.AppID, No: t.No, BillNo: t.BillNo, State: t.State(s.cfg.Now()), AmountFen: t.AmountFen,
			Remark: t.Remark, FailReason: t.Reason, OpenID: t.OpenID, CreateTime: wire.Time(t.At), UpdateTime: wire.Time(t.UpdatedAt),
		}, nil
	}}, nil
}

// cancelTransfer takes a payout back that is still up to the payee. What it
// answers is the acceptance; the end comes a moment later.
func (s *Simulator) cancelTransfer(r *http.Request, _ []byte) (call, error) {
	no := r.PathValue("no")
	return call{lies.Operation{Kind: ledger.KindPayout, No: no}, true, func(ctx context.Context) (any, error) {
		var fresh bool
		err := s.journal.Commit(ctx, func(b *ledger.Book) (*ledger.Record, error) {
			r, err := b.Cancel(no, s.cfg.Now())
			fresh = r != nil
			return r, err
		})
		if err != nil {
			return nil, err
		}
		if fresh {
			s.moves.At(time.Now().Add(s.cfg.TransferAfter), func(ctx context.Context) { s.endTransfer(ctx, no) })
		}
		t, err := s.journal.Book.Transfer(no)
		if err != nil {
			return nil, err
		}
		return wire.TransferAnswer{No: t.No, BillNo: t.BillNo, State: t.State(s.cfg.Now()), UpdateTime: wire.Time(t.UpdatedAt)}, nil
	}}, nil
}

// confirmWaitMax is how long a payee may take to confirm; then the bill fails.
const confirmWaitMax = 24 * time.Hour
