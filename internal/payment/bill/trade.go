package bill

import (
	"fmt"
	"io"
	"strings"

	"hongbao/envelope"
)

// currency is the only one there is.
const currency = "CNY"

// ReadTrade reads a bill of type ALL, as [Client.TradeBill] of package payment
// describes it.
func ReadTrade(from io.Reader) ([]Entry, error) {
	s := tradeSheet()
	return s.read(from)
}

// tradeSheet is the bill of type ALL. Charges and refunds share its columns.
func tradeSheet() sheet {
	return sheet{
		columns: []string{"交易时间", "微信订单号", "商户订单号", "交易状态", "货币种类", "微信退款单号", "商户退款单号", "退款状态", "订单金额", "申请退款金额"},
		sums:    []string{"总交易单数", "订单总金额", "申请退款总金额"},
		entry: func(r *row, totals map[string]envelope.Fen) Entry {
			charged, refunded := r.yuan("订单金额"), r.yuan("申请退款金额")
			totals["总交易单数"]++
			totals["订单总金额"] += charged
			totals["申请退款总金额"] += refunded
			if r.text("货币种类") != currency && r.err == nil {
				r.err = fmt.Errorf("want currency %s, have %.64q", currency, r.text("货币种类"))
			}
			e := Entry{At: r.time("交易时间"), Kind: Other, State: strings.Clone(r.text("交易状态"))}
			no, providerNo := "商户订单号", "微信订单号"
			switch e.State {
			case "SUCCESS":
				e.Kind, e.Amount = Charge, charged
			case "REFUND":
				e.Kind, e.Amount, e.Out, e.State = Refund, refunded, true, strings.Clone(r.text("退款状态"))
				no, providerNo = "商户退款单号", "微信退款单号"
			}
			e.No, e.ProviderNo = strings.Clone(r.text(no)), strings.Clone(r.text(providerNo))
			return e
		},
	}
}
