package payment

import (
	"compress/gzip"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"hongbao/envelope"
	"hongbao/internal/payment/bill"
)

const (
	tradeBillPath    = "/v3/bill/tradebill"
	fundFlowBillPath = "/v3/bill/fundflowbill"
	// billBytesMax bounds a bill after decompression, billSentBytesMax before.
	billBytesMax     = 512 << 20
	billSentBytesMax = 128 << 20
	// billTimeMax bounds the download of one.
	billTimeMax = 5 * time.Minute
)

var (
	// ErrNoStatement says that nothing happened on that day: the bill is empty.
	ErrNoStatement = errors.New("the provider has no statement for that day")
	// ErrStatementCreating says that the bill is being made: ask in half an hour.
	ErrStatementCreating = errors.New("the provider is still making the statement")
)

// TradeBill is what payers paid on a business day and what was to go back to
// them, as the provider closed it at about 10:00 on the next. A refund stands on
// the day it was accepted, and its state there never changes. A row that can not be
// made out is there as [bill.Unreadable]. The others have been checked against the bill's hash and its sums. The errors are [ErrNoStatement],
// [ErrStatementCreating], those of [Client.QueryCharge], and that the bill is not
// whole.
func (c *Client) TradeBill(ctx context.Context, day envelope.Day) ([]bill.Entry, error) {
	return c.bill(ctx, "trade_bill", tradeBillPath+"?bill_date="+day.String()+"&bill_type=ALL&tar_type=GZIP", bill.ReadTrade)
}

// FundFlowBill is every movement of our account, Config.BillAccount, on a
// business day; payouts are in this bill alone. Otherwise it is like
// [Client.TradeBill].
func (c *Client) FundFlowBill(ctx context.Context, day envelope.Day) ([]bill.Entry, error) {
	target := fundFlowBillPath + "?bill_date=" + day.String() + "&account_type=" + c.cfg.BillAccount + "&tar_type=GZIP"
	return c.bill(ctx, "fund_flow_bill", target, bill.ReadFundFlow)
}

// billTicket says where a bill lies and what its hash is.
type billTicket struct {
	HashType    string `json:"hash_type"`
	HashValue   string `json:"hash_value"`
	DownloadURL string `json:"download_url"`
}

func (c *Client) bill(ctx context.Context, name, target string, read func(io.Reader) ([]bill.Entry, error)) (entries []bill.Entry, err error) {
	defer c.metrics.observe(name, time.Now(), &err)
	body, err := c.send(ctx, call{
		name: name, method: http.MethodGet, target: target,
		means: map[string]error{"NO_STATEMENT_EXIST": ErrNoStatement, "STATEMENT_CREATING": ErrStatementCreating},
	})
	if err != nil {
		return nil, err
	}
	var ticket billTicket
	if err := json.Unmarshal(body, &ticket); err != nil || ticket.HashType != "SHA1" {
		return nil, fmt.Errorf("payment %s: %w: want a SHA1 and an address, have %q", name, envelope.ErrUnknownOutcome, cut(ticket.HashType, codeBytesMax))
	}
	entries, err = c.download(ctx, &ticket, read)
	if err != nil {
		return nil, fmt.Errorf("payment %s: %w", name, err)
	}
	return entries, nil
}

// download reads the bill as it comes in. A bill is not signed: what makes it
// the provider's is the hash in the ticket, so no row counts before the last.
func (c *Client) download(ctx context.Context, ticket *billTicket, read func(io.Reader) ([]bill.Entry, error)) ([]bill.Entry, error) {
	target, err := downloadTarget(ticket.DownloadURL)
	if err != nil {
		return nil, err
	}
	req, err := c.request(ctx, &call{method: http.MethodGet, target: target})
	if err != nil {
		return nil, err
	}
	patient := *c.http
	patient.Timeout = billTimeMax
	res, err := patient.Do(req)
	if err != nil {
		return nil, outage(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(res.Body, answerBytesMax))
		return nil, outage(refusal(&answer{status: res.StatusCode, body: body}))
	}
	sent := http.MaxBytesReader(nil, res.Body, billSentBytesMax)
	unzipped, err := gzip.NewReader(sent)
	if err != nil {
		return nil, fmt.Errorf("unzipping the bill: %w", err)
	}
	hash := sha1.New()
	plain := io.TeeReader(http.MaxBytesReader(nil, io.NopCloser(unzipped), billBytesMax), hash)
	entries, err := read(plain)
	if err != nil {
		return nil, err
	}
	if sum := hex.EncodeToString(hash.Sum(nil)); !strings.EqualFold(sum, ticket.HashValue) {
		return nil, fmt.Errorf("the bill hashes to %s, want %q", sum, cut(ticket.HashValue, codeBytesMax))
	}
	return entries, nil
}

// downloadTarget keeps path and query of the address. The request, which we sign,
// goes where all our requests go, whatever host the address names.
func downloadTarget(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || !strings.HasPrefix(u.Path, "/v3/") {
		return "", fmt.Errorf("the address of the bill is not one of the API: %q", cut(address, messageBytesMax))
	}
	return u.RequestURI(), nil
}
