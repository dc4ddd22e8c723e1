package simulator

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

const (
	orderNoBytesMin     = 6
	orderNoBytesMax     = 32
	descriptionBytesMax = 127
	notifyURLBytesMax   = 255
	amountMaxFen        = 1_000_000_000 // ten million yuan
	currency            = "CNY"
)

// zone is the provider's own: it writes times in UTC+08:00.
func zone() *time.Location { return time.FixedZone("CST", 8*60*60) }

func wireTime(t time.Time) string { return t.In(zone()).Format(time.RFC3339) }

type nativeRequest struct {
	AppID       string `json:"appid"`
	MerchantID  string `json:"mchid"`
	Description string `json:"description"`
	OrderNo     string `json:"out_trade_no"`
	TimeExpire  string `json:"time_expire"`
	NotifyURL   string `json:"notify_url"`
	Amount      amount `json:"amount"`
}

type amount struct {
	Total    int64  `json:"total"`
	Currency string `json:"currency"`
}

type nativeAnswer struct {
	CodeURL string `json:"code_url"`
}

// native places an order. A repeat gets the code_url of the first.
func (s *Simulator) native(r *http.Request, body []byte) (any, error) {
	var req nativeRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, badParameter(err.Error())
	}
	want, err := s.terms(&req)
	if err != nil {
		return nil, err
	}
	var token string
	err = s.journal.commit(r.Context(), func(b *book) (*record, error) {
		rec, err := b.place(req.OrderNo, want, s.cfg.Now())
		switch {
		case rec != nil:
			token = want.Token
		case err == nil:
			token = b.orders[req.OrderNo].Token
		}
		return rec, err
	})
	if err != nil {
		return nil, err
	}
	return nativeAnswer{CodeURL: s.cfg.PublicURL + "/pay/" + token}, nil
}

// terms checks a request as far as it can be checked without the book.
func (s *Simulator) terms(req *nativeRequest) (*terms, error) {
	expires, err := time.Parse(time.RFC3339, req.TimeExpire)
	notify, notifyErr := url.Parse(req.NotifyURL)
	switch {
	case req.MerchantID != s.cfg.MerchantID || req.AppID != s.cfg.AppID:
		return nil, &refusal{http.StatusBadRequest, "APPID_MCHID_NOT_MATCH", "appid和mchid不匹配"}
	case !isOrderNo(req.OrderNo):
		return nil, badParameter(fmt.Sprintf("out_trade_no: want %d to %d of 0-9 A-Z a-z _ - | *", orderNoBytesMin, orderNoBytesMax))
	case req.Description == "" || len(req.Description) > descriptionBytesMax:
		return nil, badParameter(fmt.Sprintf("description: want 1 to %d bytes", descriptionBytesMax))
	case err != nil:
		return nil, badParameter("time_expire: want RFC 3339")
	case notifyErr != nil || notify.Host == "" || notify.RawQuery != "" || len(req.NotifyURL) > notifyURLBytesMax:
		return nil, badParameter(fmt.Sprintf("notify_url: want a URL without a query, of at most %d bytes", notifyURLBytesMax))
	case req.Amount.Total < 1 || req.Amount.Total > amountMaxFen || req.Amount.Currency != currency:
		return nil, badParameter(fmt.Sprintf("amount: want 1 to %d fen of %s", amountMaxFen, currency))
	}
	return &terms{
		AppID: req.AppID, AmountFen: req.Amount.Total, Description: req.Description,
		ExpiresAt: expires, NotifyURL: req.NotifyURL, Token: rand.Text(),
	}, nil
}

func isOrderNo(s string) bool {
	const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-|*"
	return len(s) >= orderNoBytesMin && len(s) <= orderNoBytesMax && strings.Trim(s, letters) == ""
}
