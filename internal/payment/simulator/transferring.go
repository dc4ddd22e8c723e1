package simulator

import (
	"context"
	"crypto/rand"
	"net/http"
	"time"

	"hongbao/internal/payment/simulator/refusal"
)

// transferAnswer is what a request to pay out, or to cancel, is told.
type transferAnswer struct {
	No          string `json:"out_bill_no"`
	BillNo      string `json:"transfer_bill_no"`
	CreateTime  string `json:"create_time,omitzero"`
	UpdateTime  string `json:"update_time,omitzero"`
	State       string `json:"state"`
	FailReason  string `json:"fail_reason,omitzero"`
	PackageInfo string `json:"package_info,omitzero"` // the payee's page, while it is up to the payee
}

func (a transferAnswer) withState(state string) any { a.State = state; return a }

// transferStatus is a transfer in the provider's words, in an answer to a query.
type transferStatus struct {
	MerchantID string `json:"mch_id"`
	AppID      string `json:"appid"`
	No         string `json:"out_bill_no"`
	BillNo     string `json:"transfer_bill_no"`
	State      string `json:"state"`
	AmountFen  int64  `json:"transfer_amount"`
	Remark     string `json:"transfer_remark"`
	FailReason string `json:"fail_reason,omitzero"`
	OpenID     string `json:"openid"`
	CreateTime string `json:"create_time"`
	UpdateTime string `json:"update_time"`
}

func (a transferStatus) withState(state string) any { a.State = state; return a }

// transfer takes a request to pay out. A repeat gets the bill as it stands.
func (s *Simulator) transfer(_ *http.Request, body []byte) (call, error) {
	var req transferRequest
	if err := refusal.ReadJSON(body, &req); err != nil {
		return call{}, err
	}
	if err := s.checkTransfer(&req); err != nil {
		return call{}, err
	}
	want := &transferTerms{
		OpenID: req.OpenID, AmountFen: req.AmountFen, SceneID: req.SceneID, Remark: req.Remark, NotifyURL: req.NotifyURL, Token: rand.Text(), Account: s.payoutAccount(),
	}
	about := operation{kindPayout, req.No, req.OpenID}
	return call{about, true, func(ctx context.Context) (any, error) { return s.acceptTransfer(ctx, about, want) }}, nil
}

func (s *Simulator) acceptTransfer(ctx context.Context, about operation, want *transferTerms) (any, error) {
	var fresh bool
	confirmAfter, closeAfter := s.cfg.ConfirmAfter, confirmWaitMax
	err := s.journal.commit(ctx, func(b *book) (*record, error) {
		now := s.cfg.Now()
		r, err := b.acceptTransfer(about.no, want, now)
		if fresh = r != nil; fresh {
			confirmAfter, closeAfter = s.slow(about, want, now)
		}
		return r, err
	})
	if err != nil {
		return nil, err
	}
	t, err := s.journal.book.transfer(about.no)
	if err != nil {
		return nil, err
	}
	// Nobody waits twice: a repeat finds the first one's payee at it.
	if fresh {
		s.awaitPayee(&t, confirmAfter, closeAfter)
	}
	return s.transferAnswer(&t), nil
}

// slow tells the lies about how long it takes, and returns when the payee will
// confirm, and when their time is over.
func (s *Simulator) slow(about operation, want *transferTerms, now time.Time) (confirmAfter, closeAfter time.Duration) {
	confirmAfter, closeAfter = s.cfg.ConfirmAfter, confirmWaitMax
	if told, how := s.liar.tell(about, slowPayee); told != "" {
		confirmAfter = milliseconds(how.LaterMS)
	}
	if told, how := s.liar.tell(about, absentPayee); told != "" {
		confirmAfter, closeAfter = Never, milliseconds(how.LaterMS)
	}
	if told, how := s.liar.tell(about, slowAcceptance); told != "" {
		want.ReadyAt = now.Add(milliseconds(how.LaterMS))
	}
	return confirmAfter, closeAfter
}

// payoutAccount is what a payout leaves from, as the ledger writes it.
func (s *Simulator) payoutAccount() string {
	if s.cfg.PayoutAccount == accountBasic {
		return ""
	}
	return s.cfg.PayoutAccount
}

// awaitPayee has the payee confirm after a while, unless that is [Never], and
// the bill fail at the end of the payee's time.
func (s *Simulator) awaitPayee(t *transfer, confirmAfter, closeAfter time.Duration) {
	token, no := t.Token, t.no
	if confirmAfter != Never {
		wait := max(confirmAfter, t.ReadyAt.Sub(t.at))
		s.moves.at(s.in(wait, t.at), func(ctx context.Context) {
			if _, err := s.confirmTransfer(ctx, token); err != nil {
				s.cfg.Log.Debug("not confirmed", "no", no, "error", err)
			}
		})
	}
	if confirmAfter == Never || confirmAfter > closeAfter {
		s.moves.at(s.in(closeAfter, t.at), func(ctx context.Context) { s.endTransfer(ctx, no) })
	}
}

func (s *Simulator) transferAnswer(t *transfer) transferAnswer {
	a := transferAnswer{No: t.no, BillNo: t.billNo, CreateTime: wireTime(t.at), State: t.state(s.cfg.Now()), FailReason: t.reason}
	if a.State == stateWaiting {
		a.PackageInfo = s.cfg.PublicURL + "/confirm/" + t.Token
	}
	return a
}

// queryTransfer says what became of a payout.
func (s *Simulator) queryTransfer(r *http.Request, _ []byte) (call, error) {
	no := r.PathValue("no")
	t, err := s.journal.book.transfer(no)
	return s.tellTransfer(operation{kindPayout, no, t.OpenID}, &t, err)
}

// queryBill does so by our number.
func (s *Simulator) queryBill(r *http.Request, _ []byte) (call, error) {
	t, err := s.journal.book.bill(r.PathValue("id"))
	return s.tellTransfer(operation{kindPayout, t.no, t.OpenID}, &t, err)
}

func (s *Simulator) tellTransfer(about operation, t *transfer, err error) (call, error) {
	return call{operation: about, do: func(context.Context) (any, error) {
		if err != nil {
			return nil, err
		}
		return transferStatus{
			MerchantID: s.cfg.MerchantID, AppID: s.cfg.AppID, No: t.no, BillNo: t.billNo, State: t.state(s.cfg.Now()), AmountFen: t.AmountFen,
			Remark: t.Remark, FailReason: t.reason, OpenID: t.OpenID, CreateTime: wireTime(t.at), UpdateTime: wireTime(t.updatedAt),
		}, nil
	}}, nil
}

// cancelTransfer takes a payout back that is still up to the payee. What it
// answers is the acceptance; the end comes a moment later.
func (s *Simulator) cancelTransfer(r *http.Request, _ []byte) (call, error) {
	no := r.PathValue("no")
	return call{operation{kind: kindPayout, no: no}, true, func(ctx context.Context) (any, error) {
		var fresh bool
		err := s.journal.commit(ctx, func(b *book) (*record, error) {
			r, err := b.cancel(no, s.cfg.Now())
			fresh = r != nil
			return r, err
		})
		if err != nil {
			return nil, err
		}
		if fresh {
			s.moves.at(time.Now().Add(s.cfg.TransferAfter), func(ctx context.Context) { s.endTransfer(ctx, no) })
		}
		t, err := s.journal.book.transfer(no)
		if err != nil {
			return nil, err
		}
		return transferAnswer{No: t.no, BillNo: t.billNo, State: t.state(s.cfg.Now()), UpdateTime: wireTime(t.updatedAt)}, nil
	}}, nil
}
