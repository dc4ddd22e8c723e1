package bill

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// piecesMax bounds what a row may fall into: its cells, and what text in them
// looks like.
const piecesMax = 512

// assign gives the pieces of a row to its columns. The format has no quotes, so a
// text such as "a,`b" looks like two cells. The columns whose form is known hold
// such text never; they say which pieces belong together. The row is made out when
// every way to do that agrees about the columns that are needed.
func assign(pieces, columns, needed []string) ([]string, error) {
	switch {
	case len(pieces) == len(columns):
		return pieces, nil
	case len(pieces) < len(columns):
		return nil, fmt.Errorf("%d cells under %d names", len(pieces), len(columns))
	case len(pieces) > piecesMax:
		return nil, fmt.Errorf("want at most %d cells, have %d", piecesMax, len(pieces))
	}
	before, after := ways(pieces, columns)
	row := make([]string, len(columns))
	for j, column := range columns {
		if !slices.Contains(needed, column) {
			continue // which piece it is changes nothing
		}
		found := false
		for i, piece := range pieces {
			if !before[j][i] || !after[j+1][i+1] || !matches(column, piece) {
				continue
			}
			if found && row[j] != piece {
				return nil, fmt.Errorf("%d cells under %d names, and %s may be %.64q or %.64q", len(pieces), len(columns), column, row[j], piece)
			}
			row[j], found = piece, true
		}
		if !found {
			return nil, fmt.Errorf("%d cells under %d names, and none is %s", len(pieces), len(columns), column)
		}
	}
	return row, nil
}

// ways says how far one can get: before[j][i], whether the first i pieces fill the
// first j columns; after[j][i], whether the others fill the others.
func ways(pieces, columns []string) (before, after [][]bool) {
	table := func() [][]bool {
		t := make([][]bool, len(columns)+1)
		for j := range t {
			t[j] = make([]bool, len(pieces)+1)
		}
		return t
	}
	before, after = table(), table()
	before[0][0], after[len(columns)][len(pieces)] = true, true
	for j, column := range columns {
		for i := range pieces {
			switch {
			case isFree(column): // takes this piece, begun or gone on with
				before[j+1][i+1] = before[j][i] || before[j+1][i]
			case matches(column, pieces[i]):
				before[j+1][i+1] = before[j][i]
			}
		}
	}
	for j := len(columns) - 1; j >= 0; j-- {
		for i := len(pieces) - 1; i >= 0; i-- {
			switch {
			case isFree(columns[j]):
				after[j][i] = after[j+1][i+1] || after[j][i+1]
			case matches(columns[j], pieces[i]):
				after[j][i] = after[j+1][i+1]
			}
		}
	}
	return before, after
}

// form is what the cells of some columns look like.
type form struct {
	columns string // separated by spaces
	fits    func(cell string) bool
}

// forms are of the columns that hold no free text. A column that is not named
// here may hold anything.
func forms() []form {
	return []form{
		{"交易时间 记账时间", isBillTime},
		{"退款申请时间 退款成功时间", func(s string) bool { return s == "" || isBillTime(s) }},
		{"微信订单号 微信退款单号 微信支付业务单号 商户号 特约商户号", of("0123456789")},
		{"交易类型 交易状态 付款银行 货币种类 退款类型 退款状态", of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")},
		{"商户订单号 商户退款单号 公众账号ID 用户标识 资金流水单号 业务凭证号", of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-|*")},
		{"订单金额 申请退款金额 应结订单金额 代金券金额 退款金额 充值券退款金额 手续费 收支金额(元) 账户结余(元)", isBillNumber},
		{"费率", func(s string) bool { return isBillNumber(strings.TrimSuffix(s, "%")) }},
		{"收支类型", func(s string) bool { return s == "收入" || s == "支出" }},
	}
}

func formOf(column string) func(string) bool {
	for _, f := range forms() {
		if slices.Contains(strings.Fields(f.columns), column) {
			return f.fits
		}
	}
	return nil
}

func isFree(column string) bool { return formOf(column) == nil }

// matches reports whether a cell can be of the column.
func matches(column, cell string) bool {
	fits := formOf(column)
	return fits == nil || fits(cell)
}

func isBillTime(s string) bool {
	_, err := time.Parse(time.DateTime, s)
	return err == nil
}

// looksLikeTime accepts what has the digits of a time, if only those.
func looksLikeTime(s string) bool {
	return len(s) == len(time.DateTime) && strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return '0'
		}
		return r
	}, s) == "0000-00-00 00:00:00"
}

// of accepts what is made of some signs alone. A number that is absent is empty.
func of(signs string) func(string) bool {
	return func(s string) bool { return strings.Trim(s, signs) == "" }
}

func isBillNumber(s string) bool {
	whole, fraction, point := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	return whole != "" && strings.Trim(whole+fraction, "0123456789") == "" && (!point || fraction != "")
}
