package bill

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// goldenRead is a golden bill, read as it is.
func goldenRead(t rapid.TB, bill string, s sheet) []Entry {
	t.Helper()
	want, err := s.read(strings.NewReader(bill))
	if err != nil {
		t.Fatal(err)
	}
	return want
}

// freeCells are the cells of a bill that may hold any text, by row and column.
func freeCells(bill string) (rows [][]string, at [][2]int) {
	for i, line := range strings.Split(strings.TrimSpace(bill), "\n") {
		rows = append(rows, cells(strings.TrimPrefix(line, "\ufeff")))
		for j := range rows[i] {
			if strings.HasPrefix(line, "`") && len(rows[i]) == len(rows[0]) && isFree(rows[0][j]) {
				at = append(at, [2]int{i, j})
			}
		}
	}
	return rows, at
}

func written(rows [][]string) string {
	var b strings.Builder
	for i, row := range rows {
		if i == 0 || i == len(rows)-2 {
			b.WriteString(strings.Join(row, ",") + "\r\n")
		} else {
			b.WriteString("`" + strings.Join(row, ",`") + "\r\n")
		}
	}
	return b.String()
}

func sheets() map[string]sheet {
	return map[string]sheet{"trade.csv": tradeSheet(), "fundflow.csv": fundFlowSheet()}
}

// FS12: the format has no quotes, and yet text in a cell changes no amount.
func TestTextThatLooksLikeCellsIsMadeOut(t *testing.T) {
	for name, s := range sheets() {
		bill := golden(t, name)
		want := goldenRead(t, bill, s)
		rows, at := freeCells(bill)
		for _, text := range []string{
			"a,`b", ",`", "`", "``,``,`", ",`,`,`,`", "a,`b,`c", "🧧,`🎉", "红包,`0.60%", "line\nbreak", "line\r\nbreak,`and more", "`x\n`y,`z",
			"总交易单数,应结订单总金额,退款总金额", "\n资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额\n`7,`2,`100.54,`5,`1100.10\n", strings.Repeat("x,`", 100),
			"\xff\xfe", "\u2028", "\x00",
		} {
			for _, cell := range at {
				changed := slices.Clone(rows)
				changed[cell[0]] = slices.Clone(rows[cell[0]])
				changed[cell[0]][cell[1]] = text
				got, err := s.read(strings.NewReader(written(changed)))
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("%s: %q as %s: %v %s", name, text, rows[0][cell[1]], err, diff)
				}
			}
		}
	}
}

// FS12: of a row that can not be made out, and only of it, a difference is told.
func TestAnUnreadableRowIsOneDifference(t *testing.T) {
	bill := golden(t, "fundflow.csv")
	want := goldenRead(t, bill, fundFlowSheet())
	for name, change := range map[string][2]string{
		"a fraction of a fen":  {"`2.5,", "`2.500,"},
		"a negative amount":    {"`2.5,", "`-2.5,"},
		"no amount":            {"`2.5,", "`,"},
		"an unknown direction": {"`支出,`2.5", "`转出,`2.5"},
		"no such time":         {"12:00:09", "12:60:09"},
		"no payout":            {"`2.5,", "`0,"},
		"a missing cell":       {",`F3", ""},
		"two amounts":          {"`支出,`2.5,`1096.90,`system", "`支出,`2.5,`1096.90,`x,`收入,`9.99,`1.00,`system"},
	} {
		got, err := func() ([]Entry, error) {
			s := fundFlowSheet()
			return s.read(strings.NewReader(strings.Replace(bill, change[0], change[1], 1)))
		}()
		if err != nil || len(got) != len(want) {
			t.Errorf("%s: %d entries, %v", name, len(got), err)
			continue
		}
		for i := range got {
			if unreadable := got[i].Kind == Unreadable; unreadable != (i == 2) || unreadable && (got[i].Line != 4 || got[i].Why == "") || !unreadable && !cmp.Equal(got[i], want[i]) {
				t.Errorf("%s: entry %d is %+v", name, i, got[i])
			}
		}
	}
}

// FS12: whatever stands in the free cells, every row is read as it is or told.
func TestAnyTextInACellLeavesOtherRowsAlone(t *testing.T) {
	for name, s := range sheets() {
		bill := golden(t, name)
		want := goldenRead(t, bill, s)
		rows, at := freeCells(bill)
		piece := rapid.SampledFrom([]string{",", "`", ",`", "\n", "\r", "a", "0.00", "支出", "收入", "红", "🧧", "1", "-", "%", " "})
		rapid.Check(t, func(t *rapid.T) {
			changed := slices.Clone(rows)
			cell := rapid.SampledFrom(at).Draw(t, "cell")
			changed[cell[0]] = slices.Clone(rows[cell[0]])
			changed[cell[0]][cell[1]] = strings.Join(rapid.SliceOfN(piece, 0, 40).Draw(t, "text"), "")
			got, err := s.read(strings.NewReader(written(changed)))
			if err != nil || len(got) != len(want) {
				t.Fatalf("%d entries, %v", len(got), err)
			}
			for i := range got {
				if !cmp.Equal(got[i], want[i]) && (i != cell[0]-1 || got[i].Kind != Unreadable) {
					t.Errorf("entry %d is %+v, want %+v", i, got[i], want[i])
				}
			}
		})
	}
}
