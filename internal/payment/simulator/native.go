package simulator

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
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
func (s *Simulator) native(_ *http.Request, body []byte) (call, error) {
	var req nativeRequest
	if err := strictly(body, &req); err != nil {
		return call{}, err
	}
	want, err := s.terms(&req)
	if err != nil {
		return call{}, err
	}
	return call{operation{kind: kindCharge, no: req.OrderNo}, true, func(ctx context.Context) (any, error) {
		return s.place(ctx, req.OrderNo, want)
	}}, nil
}

func (s *Simulator) place(ctx context.Context, no string, want *terms) (any, error) {
	err := s.journal.commit(ctx, func(b *book) (*record, error) { return b.place(no, want, s.cfg.Now()) })
	if err != nil {
		return nil, err
	}
	o, err := s.journal.book.order(no)
	if err != nil {
		return nil, err
	}
	return nativeAnswer{CodeURL: s.cfg.PublicURL + "/pay/" + o.Token}, nil
}

// terms checks a request as far as it can be checked without the book.
func (s *Simulator) terms(req *nativeRequest) (*terms, error) {
	expires, err := time.Parse(time.RFC3339, req.TimeExpire)
	switch {
	case req.MerchantID != s.cfg.MerchantID || req.AppID != s.cfg.AppID:
		return nil, errApp
	case !isOrderNo(req.OrderNo):
		return nil, badParameter(fmt.Sprintf("out_trade_no: want %d to %d of 0-9 A-Z a-z _ - | *", orderNoBytesMin, orderNoBytesMax))
	case req.Description == "" || len(req.Description) > descriptionBytesMax:
		return nil, badParameter(fmt.Sprintf("description: want 1 to %d bytes", descriptionBytesMax))
	case err != nil:
		return nil, badParameter("time_expire: want RFC 3339")
	case !isNotifyURL(req.NotifyURL):
		return nil, errNotifyURL
	case req.Amount.Total < 1 || req.Amount.Total > amountMaxFen || req.Amount.Currency != currency:
		return nil, badParameter(fmt.Sprintf("amount: want 1 to %d fen of %s", amountMaxFen, currency))
	}
	return &terms{
		AppID: req.AppID, AmountFen: req.Amount.Total, Description: req.Description,
		ExpiresAt: expires, NotifyURL: req.NotifyURL, Token: rand.Text(),
	}, nil
}

const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func isOrderNo(s string) bool { return isNumber(s, orderNoBytesMin, orderNoBytesMax, "_-|*") }

// isNumber checks a merchant's number: its length, and that it has letters,
// digits and the signs only.
func isNumber(s string, bytesMin, bytesMax int, signs string) bool {
	return len(s) >= bytesMin && len(s) <= bytesMax && strings.Trim(s, alphanumeric+signs) == ""
}

func isNotifyURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.RawQuery == "" && len(s) <= notifyURLBytesMax
}

var errNotifyURL = badParameter(fmt.Sprintf("notify_url: want a URL without a query, of at most %d bytes", notifyURLBytesMax))
