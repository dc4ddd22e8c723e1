package simulator

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"
)

// openingBalanceFen is what each of the merchant's accounts holds before the first movement.
const openingBalanceFen = 100_000_000_000

// The two statements, which the provider calls bills.
const (
	tradeStatement = "trade"    // charges and refunds
	fundStatement  = "fundflow" // those and payouts, with the balance after each
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

// statement is one bill. It says the same whenever it is written, because what
// it tells of is a prefix of the ledger.
type statement struct {
	name string // tradeStatement or fundStatement
	day  string // 2006-01-02 in the provider's zone
	of   string // bill_type or account_type
	upto int64  // the last movement there was when it was asked for
}

func (st *statement) columns() (rows, summary string) {
	switch {
	case st.name == fundStatement:
		return fundColumns, fundSummary
	case st.of == billSuccess:
		return tradeColumnsSuccess, tradeSummary
	case st.of == billRefund:
		return tradeColumnsRefund, tradeSummary
	}
	return tradeColumnsAll, tradeSummary
}

// tells reports whether a movement has a row.
func (st *statement) tells(m *movement) bool {
	switch {
	case m.At.In(zone()).Format(time.DateOnly) != st.day:
		return false
	case st.name == fundStatement:
		return m.account() == st.of
	case st.of == billSuccess:
		return m.Kind == kindCharge
	case st.of == billRefund:
		return m.Kind == kindRefund
	}
	return m.Kind != kindPayout
}

// cells are a row by the names of its columns; absent is empty.
type cells map[string]string

// write writes the statement as CSV: names, rows with a backtick before every
// cell, names of the summary, summary. It returns the number of rows.
func (s *Simulator) writeStatement(to io.Writer, st *statement) (rows int, err error) {
	all, _, err := s.journal.book.moved()
	if err != nil {
		return 0, err
	}
	if st.upto > int64(len(all)) {
		return 0, fmt.Errorf("statement: want movement %d, the last is %d", st.upto, len(all))
	}
	out := bufio.NewWriter(to)
	columns, summary := st.columns()
	fmt.Fprint(out, columns, "\r\n")
	// The balance runs through all movements of the account, those of other days too.
	balance := int64(openingBalanceFen)
	var sums totals
	for i := range all[:st.upto] {
		m := &all[i]
		if st.name == fundStatement && m.account() != st.of {
			continue
		}
		balance += m.signedFen()
		if !st.tells(m) {
			continue
		}
		var row cells
		if st.name == fundStatement {
			row = fundRow(m, balance)
		} else if row, err = s.tradeRow(m); err != nil {
			return 0, err
		}
		writeRow(out, columns, row)
		sums.of(m.Kind).add(m.AmountFen)
		rows++
	}
	fmt.Fprint(out, summary, "\r\n")
	writeRow(out, summary, sums.summary())
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

// account is where it moved.
func (m *movement) account() string { return cmp.Or(m.Account, accountBasic) }

// signedFen is what a movement does to the merchant's balance.
func (m *movement) signedFen() int64 {
	if m.Kind == kindCharge {
		return m.AmountFen
	}
	return -m.AmountFen
}

// tradeRow has the cells of every type of trade statement; its columns choose.
func (s *Simulator) tradeRow(m *movement) (cells, error) {
	orderNo := m.No
	var f refund
	if m.Kind == kindRefund {
		var err error
		if f, err = s.journal.book.refund(m.No); err != nil {
			return nil, err
		}
		orderNo = f.OrderNo
	}
	o, err := s.journal.book.order(orderNo)
	if err != nil {
		return nil, err
	}
	row := cells{
		"交易时间": statementTime(m.At), "公众账号ID": s.cfg.AppID, "商户号": s.cfg.MerchantID, "特约商户号": "0", "微信订单号": o.transactionID,
		"商户订单号": o.no, "用户标识": payerOpenID, "交易类型": tradeType, "交易状态": statePaid, "付款银行": bankType, "货币种类": currency,
		"应结订单金额": yuan(o.AmountFen), "代金券金额": "0.00", "微信退款单号": "0", "商户退款单号": "0", "退款金额": "0.00", "充值券退款金额": "0.00",
		"商品名称": o.Description, "商户数据包": o.Attach, "手续费": "0.00000", "费率": "0.00%", "订单金额": yuan(o.AmountFen), "申请退款金额": "0.00",
	}
	if m.Kind == kindRefund {
		for name, value := range (cells{
			"交易状态": stateReturned, "应结订单金额": "0.00", "订单金额": "0.00", "微信退款单号": f.id, "商户退款单号": f.no,
			"退款金额": yuan(m.AmountFen), "申请退款金额": yuan(m.AmountFen), "退款类型": "ORIGINAL", "退款状态": refundSuccess,
			"退款申请时间": statementTime(f.at), "退款成功时间": statementTime(f.endedAt),
		}) {
			row[name] = value
		}
	}
	return row, nil
}

func fundRow(m *movement, balance int64) cells {
	name, direction := "商家转账", "支出"
	switch m.Kind {
	case kindCharge:
		name, direction = "交易", "收入"
	case kindRefund:
		name = "退款"
	}
	return cells{
		"记账时间": statementTime(m.At), "微信支付业务单号": m.ProviderNo, "资金流水单号": fmt.Sprintf("%028d", m.ID), "业务名称": name, "业务类型": name,
		"收支类型": direction, "收支金额(元)": yuan(m.AmountFen), "账户结余(元)": yuan(balance), "资金变更提交申请人": "system", "业务凭证号": m.No,
	}
}

// summary has the cells of both summaries.
func (t *totals) summary() cells {
	return cells{
		"总交易单数": count(t.Charge.Count + t.Refund.Count), "应结订单总金额": yuan(t.Charge.Fen), "退款总金额": yuan(t.Refund.Fen),
		"充值券退款总金额": "0.00", "手续费总金额": "0.00000", "订单总金额": yuan(t.Charge.Fen), "申请退款总金额": yuan(t.Refund.Fen),
		"资金流水总笔数": count(t.Charge.Count + t.Refund.Count + t.Payout.Count), "收入笔数": count(t.Charge.Count), "收入金额": yuan(t.Charge.Fen),
		"支出笔数": count(t.Refund.Count + t.Payout.Count), "支出金额": yuan(t.Refund.Fen + t.Payout.Fen),
	}
}

func count(n int64) string             { return fmt.Sprint(n) }
func statementTime(t time.Time) string { return t.In(zone()).Format(time.DateTime) }
