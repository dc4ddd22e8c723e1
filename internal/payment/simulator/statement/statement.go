package statement

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/states"
	"hongbao/internal/payment/simulator/wire"
)

// openingBalanceFen is what each of the merchant's accounts holds before the first movement.
const openingBalanceFen = 100_000_000_000

// The types of a trade statement.
const (
	All     = "ALL"
	Success = "SUCCESS"
	Refund  = "REFUND"
)

// The two statements, which the provider calls bills.
const (
	Trade    = "trade"    // charges and refunds
	FundFlow = "fundflow" // those and payouts, with the balance after each
)

// The columns of a trade statement, by its type, and of a fund flow statement.
const (
	tradeColumnsAll = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类," +
		"应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
	tradeColumnsSuccess = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类," +
		"应结订单金额,代金券金额,商品名称,商户数据包,手续费,费率,订单金额,费率备注"
	tradeColumnsRefund = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类," +
		"应结订单金额,代金券金额,退款申请时间,退款成功时间,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
	tradeSummary = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"

	fundColumns = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号"
	fundSummary = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"
)

// Statement is one bill. It says the same whenever it is written, because what
// it tells of is a prefix of the ledger.
type Statement struct {
	Name string // tradeStatement or fundStatement
	Day  string // 2006-01-02 in the provider's zone
	Of   string // bill_type or account_type
	Upto int64  // the last movement there was when it was asked for
}

func (st *Statement) columns() (rows, summary string) {
	switch {
	case st.Name == FundFlow:
		return fundColumns, fundSummary
	case st.Of == Success:
		return tradeColumnsSuccess, tradeSummary
	case st.Of == Refund:
		return tradeColumnsRefund, tradeSummary
	}
	return tradeColumnsAll, tradeSummary
}

// tells reports whether a movement has a row.
func (st *Statement) tells(m *ledger.Movement) bool {
	switch {
	case m.At.In(wire.Zone()).Format(time.DateOnly) != st.Day:
		return false
	case st.Name == FundFlow:
		return m.AccountOrBasic() == st.Of
	case st.Of == Success:
		return m.Kind == ledger.KindCharge
	case st.Of == Refund:
		return m.Kind == ledger.KindRefund
	}
	return m.Kind != ledger.KindPayout
}

// cells are a row by the names of its columns; absent is empty.
type cells map[string]string

// Writer is what a statement is written from.
type Writer struct {
	Book              *ledger.Book
	MerchantID, AppID string
}

// Write writes the statement as CSV: names, rows with a backtick before every
// cell, names of the summary, summary. It returns the number of rows.
func (w *Writer) Write(to io.Writer, st *Statement) (rows int, err error) {
	all, _, err := w.Book.Movements()
	if err != nil {
		return 0, err
	}
	if st.Upto > int64(len(all)) {
		return 0, fmt.Errorf("statement: want movement %d, the last is %d", st.Upto, len(all))
	}
	out := bufio.NewWriter(to)
	columns, summary := st.columns()
	fmt.Fprint(out, columns, "\r\n")
	// The balance runs through all movements of the account, those of other days too.
	balance := int64(openingBalanceFen)
	var sums ledger.Totals
	for i := range all[:st.Upto] {
		m := &all[i]
		if st.Name == FundFlow && m.AccountOrBasic() != st.Of {
			continue
		}
		balance += m.SignedFen()
		if !st.tells(m) {
			continue
		}
		var row cells
		if st.Name == FundFlow {
			row = fundRow(m, balance)
		} else if row, err = w.tradeRow(m); err != nil {
			return 0, err
		}
		writeRow(out, columns, row)
		sums.Of(m.Kind).Add(m.AmountFen)
		rows++
	}
	fmt.Fprint(out, summary, "\r\n")
	writeRow(out, summary, summaryOf(&sums))
	return rows, out.Flush()
}

func writeRow(out *bufio.Writer, columns string, row cells) {
	for i, name := range strings.Split(columns, ",") {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteByte('`')
		out.WriteString(row[name])
	}
	out.WriteString("\r\n")
}

// tradeRow has the cells of every type of trade statement; its columns choose.
func (w *Writer) tradeRow(m *ledger.Movement) (cells, error) {
	orderNo := m.No
	var f ledger.Refund
	if m.Kind == ledger.KindRefund {
		var err error
		if f, err = w.Book.Refund(m.No); err != nil {
			return nil, err
		}
		orderNo = f.OrderNo
	}
	o, err := w.Book.Order(orderNo)
	if err != nil {
		return nil, err
	}
	row := cells{
		"交易时间": statementTime(m.At), "公众账号ID": w.AppID, "商户号": w.MerchantID, "特约商户号": "0", "微信订单号": o.TransactionID,
		"商户订单号": o.No, "用户标识": wire.PayerOpenID, "交易类型": wire.TradeType, "交易状态": states.Paid, "付款银行": wire.BankType, "货币种类": wire.Currency,
		"应结订单金额": wire.Yuan(o.AmountFen), "代金券金额": "0.00", "微信退款单号": "0", "商户退款单号": "0", "退款金额": "0.00", "充值券退款金额": "0.00",
		"商品名称": o.Description, "商户数据包": o.Attach, "手续费": "0.00000", "费率": "0.00%", "订单金额": wire.Yuan(o.AmountFen), "申请退款金额": "0.00",
	}
	if m.Kind == ledger.KindRefund {
		for name, value := range (cells{
			"交易状态": states.Returned, "应结订单金额": "0.00", "订单金额": "0.00", "微信退款单号": f.ID, "商户退款单号": f.No,
			"退款金额": wire.Yuan(m.AmountFen), "申请退款金额": wire.Yuan(m.AmountFen), "退款类型": "ORIGINAL", "退款状态": states.RefundSuccess,
			"退款申请时间": statementTime(f.At), "退款成功时间": statementTime(f.EndedAt),
		}) {
			row[name] = value
		}
	}
	return row, nil
}

func fundRow(m *ledger.Movement, balance int64) cells {
	name, direction := "商家转账", "支出"
	switch m.Kind {
	case ledger.KindCharge:
		name, direction = "交易", "收入"
	case ledger.KindRefund:
		name = "退款"
	}
	return cells{
		"记账时间": statementTime(m.At), "微信支付业务单号": m.ProviderNo, "资金流水单号": fmt.Sprintf("%028d", m.ID), "业务名称": name, "业务类型": name,
		"收支类型": direction, "收支金额(元)": wire.Yuan(m.AmountFen), "账户结余(元)": wire.Yuan(balance), "资金变更提交申请人": "system", "业务凭证号": m.No,
	}
}

// summaryOf has the cells of both summaries.
func summaryOf(t *ledger.Totals) cells {
	return cells{
		"总交易单数": count(t.Charge.Count + t.Refund.Count), "应结订单总金额": wire.Yuan(t.Charge.Fen), "退款总金额": wire.Yuan(t.Refund.Fen),
		"充值券退款总金额": "0.00", "手续费总金额": "0.00000", "订单总金额": wire.Yuan(t.Charge.Fen), "申请退款总金额": wire.Yuan(t.Refund.Fen),
		"资金流水总笔数": count(t.Charge.Count + t.Refund.Count + t.Payout.Count), "收入笔数": count(t.Charge.Count), "收入金额": wire.Yuan(t.Charge.Fen),
		"支出笔数": count(t.Refund.Count + t.Payout.Count), "支出金额": wire.Yuan(t.Refund.Fen + t.Payout.Fen),
	}
}

func count(n int64) string             { return fmt.Sprint(n) }
func statementTime(t time.Time) string { return t.In(wire.Zone()).Format(time.DateTime) }
