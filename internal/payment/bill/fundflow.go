package bill

import (
	"fmt"
	"io"
	"strings"

	"hongbao/envelope"
)

// ReadFundFlow reads the bill of one account.
func ReadFundFlow(from io.Reader) ([]Entry, error) {
	s := fundFlowSheet()
	return s.read(from)
}

// fundFlowSheet is the bill of one account. What a row is about follows from our
// number and the direction: the fee of a charge carries the charge's number too.
func fundFlowSheet() sheet {
	return sheet{
		columns: []string{"记账时间", "微信支付业务单号", "资金流水单号", "收支类型", "收支金额(元)", "业务凭证号"},
		sums:    []string{"资金流水总笔数", "收入笔数", "收入金额", "支出笔数", "支出金额"},
		entry: func(r *row, totals map[string]envelope.Fen) Entry {
			e := Entry{
				At: r.time("记账时间"), Amount: r.yuan("收支金额(元)"), No: strings.Clone(r.text("业务凭证号")),
				ProviderNo: strings.Clone(r.text("微信支付业务单号")), FlowNo: strings.Clone(r.text("资金流水单号")),
			}
			totals["资金流水总笔数"]++
			switch direction := r.text("收支类型"); direction {
			case "收入":
				totals["收入笔数"]++
				totals["收入金额"] += e.Amount
			case "支出":
				e.Out = true
				totals["支出笔数"]++
				totals["支出金额"] += e.Amount
			default:
				r.err = fmt.Errorf("收支类型 %.64q", direction)
			}
			e.Kind = kindOf(e.No, e.Out)
			return e
		},
	}
}

func kindOf(no string, out bool) Kind {
	_, notCharge := envelope.ParseID(no)
	_, seq, _, notTransfer := envelope.ParseTransferNo(no)
	switch {
	case notCharge == nil && !out:
		return Charge
	case notTransfer == nil && out && seq > 0:
		return Payout
	case notTransfer == nil && out:
		return Refund
	}
	return Other
}
