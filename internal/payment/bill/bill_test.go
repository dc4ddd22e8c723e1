package bill

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hongbao/envelope"
)

func golden(t testing.TB, name string) string {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestColumnsAreFoundByTheirNames(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(golden(t, "fundflow.csv")), "\n")
	for i, line := range lines[:len(lines)-2] {
		row := cells(line)
		for l, r := 0, len(row)-1; l < r; l, r = l+1, r-1 {
			row[l], row[r] = row[r], row[l]
		}
		if lines[i] = strings.Join(row, ","); i > 0 {
			lines[i] = "`" + strings.Join(row, ",`")
		}
	}
	want, err1 := ReadFundFlow(strings.NewReader(golden(t, "fundflow.csv")))
	got, err2 := ReadFundFlow(strings.NewReader(strings.Join(lines, "\r\n")))
	if diff := cmp.Diff(want, got); diff != "" || err1 != nil || err2 != nil || len(got) == 0 {
		t.Error(err1, err2, diff)
	}
}

func TestYuanAreReadExactly(t *testing.T) {
	for s, want := range map[string]envelope.Fen{
		"0": 0, "0.00": 0, "0.01": 1, "0.1": 10, "1": 100, "1.0": 100, "19.99": 1999, "0.29": 29, "1.15": 115, "4.35": 435, "008.20": 820,
		"999999999999.99": 99999999999999,
	} {
		if got, err := parseYuan(s); got != want || err != nil {
			t.Errorf("%q: %d, %v, want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", ".", ".5", "1.", "1.234", "-1", "+1", "1e2", "1,000", " 1", "1 ", "０", "0x10", "1_0", "1.-1", "1.+1", "NaN", "1000000000000", "1.2.3"} {
		if got, err := parseYuan(s); err == nil {
			t.Errorf("%q: %d", s, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		want := envelope.Fen(rapid.Int64Range(0, 99999999999999).Draw(t, "fen"))
		if got, err := parseYuan(want.String()); got != want || err != nil {
			t.Fatalf("%s: %d, %v", want, got, err)
		}
	})
}

// FuzzBill: whatever the file says, it is refused or adds up.
func FuzzBill(f *testing.F) {
	f.Add(golden(f, "trade.csv"), true)
	f.Add(golden(f, "fundflow.csv"), false)
	f.Add("资金流水总笔数\n`0\n", false)
	f.Add(strings.Replace(golden(f, "trade.csv"), "红包", "a,`b\r\nc,`d", 1), true)
	f.Add(strings.Replace(golden(f, "fundflow.csv"), "提现", "`2026-01-02 18:00:00,`", 1), false)
	f.Fuzz(func(t *testing.T, bill string, trade bool) {
		s := fundFlowSheet()
		if trade {
			s = tradeSheet()
		}
		entries, err := s.read(strings.NewReader(bill))
		for _, e := range entries {
			if err == nil && (e.Amount < 0 || e.Kind != Other && e.Kind != Unreadable && e.Amount == 0 || (e.Kind == Unreadable) != (e.Why != "")) {
				t.Errorf("accepted %+v", e)
			}
		}
		readable := 0
		for _, e := range entries {
			if e.Kind != Unreadable {
				readable++
			}
		}
		said := false
		for n := readable; n <= len(entries); n++ {
			said = said || strings.Contains(bill, "`"+strconv.Itoa(n)) || strings.Contains(bill, strconv.Itoa(n))
		}
		if err == nil && !said {
			t.Errorf("%d entries, %d of them readable, which the bill does not say", len(entries), readable)
		}
	})
}
