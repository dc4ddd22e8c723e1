package payment

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongbao/envelope"
	"hongbao/internal/payment/apiv3"
	"hongbao/internal/payment/bill"
)

const billDay envelope.Day = 20260102

func goldenBill(t testing.TB, name string) string {
	t.Helper()
	raw, err := os.ReadFile("bill/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// wrap is what the provider does to a bill on its way.
type wrap struct {
	hash     func(string) string
	zip      func([]byte) []byte
	address  string // default: on another host, as the real one may be
	download reply
}

// providerBilling gives the bill to a ticket, and the file behind it, unsigned.
func providerBilling(t testing.TB, want, text string, w wrap) *Client {
	t.Helper()
	const path = "/v3/billdownload/file?token=a%2Fb&tartype=gzip"
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(z, text)
	_ = z.Close()
	sum := sha1.Sum([]byte(text))
	ticket := billTicket{HashType: "SHA1", HashValue: hex.EncodeToString(sum[:]), DownloadURL: "https://api.example.com" + path}
	if w.hash != nil {
		ticket.HashValue = w.hash(ticket.HashValue)
	}
	if w.address != "" {
		ticket.DownloadURL = w.address
	}
	sent := zipped.Bytes()
	if w.zip != nil {
		sent = w.zip(sent)
	}
	return provider(t, func(r *http.Request, _ []byte) reply {
		switch r.RequestURI {
		case want:
			return reply{status: 200, body: string(marshal(t, ticket))}
		case path:
			if w.download.status != 0 {
				return w.download
			}
			return reply{status: 200, body: string(sent), tamper: func(h http.Header) { h.Del(apiv3.HeaderSignature) }}
		}
		t.Errorf("asked for %s", r.RequestURI)
		return notFound()
	})
}

const (
	tradeTarget = "/v3/bill/tradebill?bill_date=2026-01-02&bill_type=ALL&tar_type=GZIP"
	fundTarget  = "/v3/bill/fundflowbill?bill_date=2026-01-02&account_type=BASIC&tar_type=GZIP"
)

func at(clock string) time.Time {
	t, err := time.Parse(time.RFC3339, "2026-01-02T"+clock+"+08:00")
	if err != nil {
		panic(err)
	}
	return t
}

func TestTradeBillIsReadToTheFen(t *testing.T) {
	c := providerBilling(t, tradeTarget, goldenBill(t, "trade.csv"), wrap{hash: strings.ToUpper})
	got, err := c.TradeBill(context.Background(), billDay)
	const charge = "4200002026010200000000000001"
	want := []bill.Entry{
		{At: at("12:00:00"), Kind: bill.Charge, No: string(orderNo()), ProviderNo: charge, Amount: 10000, State: "SUCCESS"},
		{At: at("12:05:00"), Kind: bill.Charge, No: "SHOP-17", ProviderNo: "4200002026010200000000000002", Amount: 7, State: "SUCCESS"},
		{At: at("23:59:59"), Kind: bill.Refund, No: string(orderNo()) + "R", ProviderNo: "50300000000001", Amount: 9000, Out: true, State: "PROCESSING"},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestFundFlowBillSortsMovements(t *testing.T) {
	c := providerBilling(t, fundTarget, goldenBill(t, "fundflow.csv"), wrap{})
	got, err := c.FundFlowBill(context.Background(), billDay)
	no := string(orderNo())
	const charge, refund = "4200002026010200000000000001", "50300000000001"
	want := []bill.Entry{
		{At: at("12:00:01"), Kind: bill.Charge, No: no, ProviderNo: charge, FlowNo: "F1", Amount: 10000},
		{At: at("12:00:01"), Kind: bill.Other, No: no, ProviderNo: charge, FlowNo: "F2", Amount: 60, Out: true},
		{At: at("12:00:09"), Kind: bill.Payout, No: no + "P007", ProviderNo: "1330000000001", FlowNo: "F3", Amount: 250, Out: true},
		{At: at("12:00:10"), Kind: bill.Payout, No: no + "P008X2", ProviderNo: "1330000000002", FlowNo: "F4", Amount: 700, Out: true},
		{At: at("13:00:00"), Kind: bill.Refund, No: no + "R", ProviderNo: refund, FlowNo: "F5", Amount: 9000, Out: true},
		{At: at("13:00:01"), Kind: bill.Other, No: no + "R", ProviderNo: refund, FlowNo: "F6", Amount: 54},
		{At: at("18:00:00"), Kind: bill.Other, ProviderNo: "999", FlowNo: "F7", Amount: 100000, Out: true},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

// TestIncompleteBillsAreRefused: half a bill would show differences that are
// none.
func TestIncompleteBillsAreRefused(t *testing.T) {
	whole := goldenBill(t, "fundflow.csv")
	replace := func(from, to string) func(string) string {
		return func(s string) string {
			if !strings.Contains(s, from) {
				t.Errorf("no %q in the bill", from)
			}
			return strings.Replace(s, from, to, 1)
		}
	}
	for name, change := range map[string]func(string) string{
		"an amount off by a fen": replace("`2.5,", "`2.51,"),
		"another count":          replace("`7,`2,", "`8,`2,"),
		"another sum":            replace("`1100.10", "`1100.11"),
		"a missing column":       replace("业务凭证号", "凭证"),
		"a row that is not there, and one unreadable": func(s string) string {
			return strings.NewReplacer("`2.5,", "`2.500,", "`7,`2,", "`9,`2,").Replace(s)
		},
		"less than the rows, and one unreadable": func(s string) string {
			return strings.NewReplacer("`2.5,", "`2.500,", "`1100.10", "`1097.59").Replace(s)
		},
		"a row after the sums": func(s string) string { return s + "`1\n" },
		"no sums":              func(s string) string { return s[:strings.Index(s, "资金流水总笔数")] },
		"no row of sums":       func(s string) string { return s[:strings.Index(s, "`7,`2,")] },
		"a sum missing":        replace("支出笔数,", ""),
		"nothing":              func(string) string { return "" },
		"a line without end":   func(s string) string { return strings.Repeat("x", 64<<10+1) + s },
	} {
		c := providerBilling(t, fundTarget, change(whole), wrap{})
		if got, err := c.FundFlowBill(context.Background(), billDay); err == nil || len(got) > 0 {
			t.Errorf("%s: %d entries, %v", name, len(got), err)
		}
	}
}

func TestBillsAreTheTicketsOrNone(t *testing.T) {
	for name, w := range map[string]wrap{
		"another hash": {hash: func(s string) string { return strings.Repeat("0", len(s)) }},
		"no hash":      {hash: func(string) string { return "" }},
		"cut short":    {zip: func(b []byte) []byte { return b[:len(b)-9] }},
		"a bit flipped": {zip: func(b []byte) []byte {
			b = bytes.Clone(b)
			b[len(b)/2] ^= 1
			return b
		}},
		"not zipped":      {zip: func([]byte) []byte { return []byte(goldenBill(t, "trade.csv")) }},
		"no address":      {address: "https://api.example.com/file"},
		"a file address":  {address: "file:///etc/passwd"},
		"a stale address": {download: reply{status: 400, body: `{"code":"PARAM_ERROR"}`}},
		"an outage":       {download: reply{status: 502, body: `<html>`}},
		"a redirect":      {download: reply{status: 302, tamper: func(h http.Header) { h.Set("Location", "https://example.com/") }}},
	} {
		c := providerBilling(t, tradeTarget, goldenBill(t, "trade.csv"), w)
		if got, err := c.TradeBill(context.Background(), billDay); err == nil || len(got) > 0 {
			t.Errorf("%s: %d entries, %v", name, len(got), err)
		}
	}
}

func TestDaysWithoutABillSayWhy(t *testing.T) {
	for code, want := range map[string]error{"NO_STATEMENT_EXIST": ErrNoStatement, "STATEMENT_CREATING": ErrStatementCreating} {
		c := provider(t, func(*http.Request, []byte) reply { return reply{status: 400, body: `{"code":"` + code + `"}`} })
		if _, err := c.TradeBill(context.Background(), billDay); !errors.Is(err, want) {
			t.Errorf("%s: %v", code, err)
		}
		if _, err := c.FundFlowBill(context.Background(), billDay); !errors.Is(err, want) {
			t.Errorf("%s: %v", code, err)
		}
	}
	c := provider(t, func(*http.Request, []byte) reply { return reply{status: 200, body: `{"hash_type":"MD5"}`} })
	if _, err := c.TradeBill(context.Background(), billDay); !isUnknown(err) {
		t.Errorf("another hash: %v", err)
	}
}
