package wire

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/refusal"
)

const (
	orderNoBytesMin     = 6
	orderNoBytesMax     = 32
	descriptionBytesMax = 127
	notifyURLBytesMax   = 255
	AttachMax           = 128 // characters
	goodsTagMax         = 32  // characters
	payerIPBytesMax     = 45
	AmountMaxFen        = 1_000_000_000 // ten million yuan
	Currency            = "CNY"
	// ExpiresAfter is how long a charge can be paid that says nothing about it.
	ExpiresAfter = 7 * 24 * time.Hour
)

// Rules are what requests are held to before the book is asked.
type Rules struct {
	MerchantID, AppID string
	TransferMinFen    int64           // the least payout
	PlatformKey       *rsa.PrivateKey // opens the names of payees
	Now               func() time.Time
}

// Zone is the provider's own: it writes times in UTC+08:00.
func Zone() *time.Location { return time.FixedZone("CST", 8*60*60) }

// Time is a time as the protocol writes it.
func Time(t time.Time) string { return t.In(Zone()).Format(time.RFC3339) }

// NativeRequest is the provider's. What nothing here shows is checked for what it
// is, and not kept; what is absent is absent in the real one's way.
type NativeRequest struct {
	AppID       string        `json:"appid"`
	MerchantID  string        `json:"mchid"`
	Description string        `json:"description"`
	OrderNo     string        `json:"out_trade_no"`
	TimeExpire  string        `json:"time_expire,omitzero"` // absent is expiresAfter
	Attach      string        `json:"attach,omitzero"`      // comes back in answers, notifications and bills
	NotifyURL   string        `json:"notify_url"`
	GoodsTag    string        `json:"goods_tag,omitzero"`
	Fapiao      bool          `json:"support_fapiao,omitzero"`
	Amount      Amount        `json:"amount"`
	Detail      *nativeDetail `json:"detail,omitzero"`
	Scene       *nativeScene  `json:"scene_info,omitzero"`
	Settle      *struct {
		ProfitSharing bool `json:"profit_sharing"`
	} `json:"settle_info,omitzero"`
}

type nativeDetail struct {
	CostPrice int64  `json:"cost_price"`
	InvoiceID string `json:"invoice_id"`
	Goods     []struct {
		MerchantGoodsID string `json:"merchant_goods_id"`
		Quantity        int64  `json:"quantity"`
		UnitPrice       int64  `json:"unit_price"`
	} `json:"goods_detail"`
}

type nativeScene struct {
	PayerIP  string `json:"payer_client_ip"`
	DeviceID string `json:"device_id"`
	Store    *struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"store_info"`
}

type Amount struct {
	Total    int64  `json:"total"`
	Currency string `json:"currency,omitzero"` // absent is CNY
}

type NativeAnswer struct {
	CodeURL string `json:"code_url"`
}

// Terms checks a request as far as it can be checked without the book.
func (u *Rules) Terms(req *NativeRequest) (*ledger.OrderTerms, error) {
	switch {
	case req.MerchantID != u.MerchantID || req.AppID != u.AppID:
		return nil, refusal.ErrApp
	case !isOrderNo(req.OrderNo):
		return nil, refusal.BadField("/out_trade_no", req.OrderNo, fmt.Sprintf("want %d to %d of 0-9 A-Z a-z _ - | *", orderNoBytesMin, orderNoBytesMax))
	case req.Description == "" || len(req.Description) > descriptionBytesMax:
		return nil, refusal.BadField("/description", req.Description, fmt.Sprintf("want 1 to %d bytes", descriptionBytesMax))
	case !isNotifyURL(req.NotifyURL):
		return nil, refusal.BadField("/notify_url", req.NotifyURL, wantNotifyURL)
	case req.Amount.Total < 1 || req.Amount.Total > AmountMaxFen:
		return nil, refusal.BadField("/amount/total", req.Amount.Total, fmt.Sprintf("want 1 to %d fen", AmountMaxFen))
	case req.Amount.Currency != Currency && req.Amount.Currency != "":
		return nil, refusal.BadField("/amount/currency", req.Amount.Currency, "want "+Currency)
	case !fits(req.Attach, AttachMax):
		return nil, refusal.BadField("/attach", req.Attach, fmt.Sprintf("want at most %d characters", AttachMax))
	case !fits(req.GoodsTag, goodsTagMax):
		return nil, refusal.BadField("/goods_tag", req.GoodsTag, fmt.Sprintf("want at most %d characters", goodsTagMax))
	case req.Scene != nil && (req.Scene.PayerIP == "" || len(req.Scene.PayerIP) > payerIPBytesMax):
		return nil, refusal.BadField("/scene_info/payer_client_ip", req.Scene.PayerIP, fmt.Sprintf("want 1 to %d bytes", payerIPBytesMax))
	}
	t := &ledger.OrderTerms{
		AppID: req.AppID, AmountFen: req.Amount.Total, Description: req.Description, Attach: req.Attach,
		NotifyURL: req.NotifyURL, Token: rand.Text(), Untimed: req.TimeExpire == "",
	}
	if t.Untimed {
		t.ExpiresAt = u.Now().Add(ExpiresAfter)
		return t, nil
	}
	var err error
	if t.ExpiresAt, err = time.Parse(time.RFC3339, req.TimeExpire); err != nil {
		return nil, refusal.BadField("/time_expire", req.TimeExpire, "want RFC 3339")
	}
	return t, nil
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

var wantNotifyURL = fmt.Sprintf("want a URL without a query, of at most %d bytes", notifyURLBytesMax)

// Yuan is an amount as bills and pages write it.
func Yuan(fen int64) string {
	if fen < 0 {
		return "-" + Yuan(-fen)
	}
	return fmt.Sprintf("%d.%02d", fen/100, fen%100)
}

// Number reads a parameter that may be absent.
func Number(text string, absent int64) (int64, error) {
	if text == "" {
		return absent, nil
	}
	return strconv.ParseInt(text, 10, 64)
}
