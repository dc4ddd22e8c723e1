package envelope

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestAnIDCarriesItsWholeAddress(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.Int64Range(1, 1<<41-1).Draw(t, "ms")
		body := Body(ms<<22 | rapid.Int64Range(0, 1<<22-1).Draw(t, "low bits"))
		set := SetNumber(rapid.Uint16Range(0, 999).Draw(t, "set"))
		id := body.In(set)
		if parsed, err := ParseID(string(id)); err != nil || parsed != id {
			t.Fatalf("%s parses as %q, %v", id, parsed, err)
		}
		if want := fmt.Sprintf("%019d%03d%d", int64(body), set, body.TableDigit()); string(id) != want {
			t.Fatalf("body %d in SET %d: have %s, want %s", body, set, id, want)
		}
		if id.Body() != body || id.Set() != set || id.TableDigit() != body.TableDigit() || id.Day() != body.Day() {
			t.Fatalf("%s: body %d, SET %v, table %d, day %v", id, id.Body(), id.Set(), id.TableDigit(), id.Day())
		}
		if want := BodyEpoch().Add(time.Duration(ms) * time.Millisecond); !body.Time().Equal(want) {
			t.Fatalf("body %d: have time %v, want %v", body, body.Time(), want)
		}
	})
}

func TestIDsSortByTimeAndKeepTheirTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Body(rapid.Int64Range(1<<22, math.MaxInt64).Draw(t, "a"))
		b := Body(rapid.Int64Range(1<<22, math.MaxInt64).Draw(t, "b"))
		if (a < b) != (a.In(3) < b.In(3)) {
			t.Fatalf("%d and %d sort as %s and %s", a, b, a.In(3), b.In(3))
		}
		there, elsewhere := a.In(3), a.In(4)
		if there == elsewhere || there.Body() != elsewhere.Body() || there.TableDigit() != elsewhere.TableDigit() || there.Day() != elsewhere.Day() {
			t.Fatalf("%s minted elsewhere is %s", there, elsewhere)
		}
	})
}

// wrongDigit is id with the next table digit.
func wrongDigit(id ID) string {
	return string(id[:22]) + string('0'+(id[22]-'0'+1)%10)
}

func TestParseIDRefusesWhatNoMintMakes(t *testing.T) {
	good := string(idAt(0))
	if _, err := ParseID(good); err != nil {
		t.Fatalf("%s: %v", good, err)
	}
	rows := map[string]string{
		"nothing":                        "",
		"a digit short":                  good[:22],
		"a digit long":                   good + "0",
		"a digit in front":               "0" + good,
		"a space in front":               " " + good[1:],
		"a newline behind":               good[:22] + "\n",
		"a sign":                         "+" + good[1:],
		"a minus":                        "-" + good[1:],
		"a letter in the body":           "x" + good[1:],
		"a letter in the SET":            good[:19] + "a" + good[20:],
		"a letter for the table digit":   good[:22] + "f",
		"the byte before the digits":     good[:5] + "/" + good[6:],
		"the byte behind the digits":     good[:5] + ":" + good[6:],
		"an underscore":                  good[:5] + "_" + good[6:],
		"a zero byte":                    good[:5] + "\x00" + good[6:],
		"full-width digits":              strings.Repeat("１", 23),
		"full-width, 23 bytes in all":    "１" + good[:20],
		"Arabic digits":                  "٠١" + good[:19],
		"invalid UTF-8":                  "\xff" + good[1:],
		"body zero":                      "0000000000000000000" + "003" + "0",
		"the last body of no time":       string(Body(1<<22 - 1).In(3)),
		"the first body past int64":      "9223372036854775808" + "003" + "0",
		"a body of nines":                "9999999999999999999" + "003" + "0",
		"the next table digit":           wrongDigit(idAt(0)),
		"hexadecimal":                    "0x" + good[2:],
		"the right digits, SQL behind":   good[:20] + "';-",
		"a path":                         "../../../../etc/passwd",
		"a megabyte":                     strings.Repeat("0", 1<<20),
		"the first body with no digit":   string(Body(1 << 22).In(0))[:22],
		"the last body, wrong digit":     wrongDigit(Body(math.MaxInt64).In(0)),
		"the body of another table":      string(idAt(1)[:19]) + good[19:],
		"digits of SET and body swapped": good[19:22] + good[:19] + good[22:],
	}
	for name, s := range rows {
		id, err := ParseID(s)
		if err == nil || id != "" {
			t.Errorf("%s: %.40q parses as %q", name, s, id)
		} else if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v is not ErrNotFound", name, err)
		} else if len(err.Error()) > 100 {
			t.Errorf("%s: the error repeats what the caller sent: %.200q", name, err)
		}
	}
	for _, b := range []Body{1 << 22, math.MaxInt64} {
		if id, err := ParseID(string(b.In(0))); err != nil || id.Body() != b {
			t.Errorf("body %d, at the edge of what a mint makes: %q, %v", b, id, err)
		}
	}
}

func TestParseIDAcceptsOneTableDigitInTen(t *testing.T) {
	good := string(idAt(0))
	for d := range TableDigits {
		s := good[:22] + string(rune('0'+d))
		if _, err := ParseID(s); (err == nil) != (s == good) {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func FuzzParseIDAcceptsOnlyWhatItMakes(f *testing.F) {
	for _, s := range []string{"", string(idAt(0)), wrongDigit(idAt(0)), string(Body(1 << 22).In(0)), string(Body(math.MaxInt64).In(999)),
		"99999999999999999990030", "00000000000000000000030", strings.Repeat("１", 8)[:23]} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		if err != nil {
			if id != "" || !errors.Is(err, ErrNotFound) {
				t.Fatalf("%q: %q, %v", s, id, err)
			}
			return
		}
		if id.Body() < 1<<22 || id.Set() > SetNumberMax || id.Body().In(id.Set()) != ID(s) {
			t.Fatalf("%q: body %d, SET %v", s, id.Body(), id.Set())
		}
		if y := id.Day() / 10000; y < 2025 || y > 2094 {
			t.Fatalf("%q: no mint lives in %v", s, id.Day())
		}
	})
}

func TestASetNumberIsThreeDigits(t *testing.T) {
	for n := range SetNumberMax + 1 {
		s := n.String()
		if want := fmt.Sprintf("%03d", int(n)); s != want {
			t.Fatalf("SET %d prints as %q", int(n), s)
		}
		if got, err := ParseSetNumber(s); err != nil || got != n {
			t.Fatalf("%q parses as %d, %v", s, int(got), err)
		}
		if got := idAt(0).Body().In(n).Set(); got != n {
			t.Fatalf("an ID of SET %d says %d", int(n), int(got))
		}
	}
	for _, s := range []string{"", "3", "03", "0003", "1000", "+03", "-03", " 03", "03 ", "0x3", "abc", "00３", "1e2"} {
		if n, err := ParseSetNumber(s); err == nil || n != 0 {
			t.Errorf("%q parses as SET %v", s, n)
		}
	}
}

// TestTablesFillEvenlyFromOneMint holds that neither the machine number nor the
// sequence shows in the table digit: one mint's bodies spread over all ten.
func TestTablesFillEvenlyFromOneMint(t *testing.T) {
	const n = 100_000
	mints := map[string]func(i int64) Body{
		"one in a millisecond":           func(i int64) Body { return bodyAt(noon(), 0, 1) + Body(i<<22) },
		"as fast as it can":              func(i int64) Body { return bodyAt(noon(), 0, 1) + Body(i/1024<<22|i%1024<<12) },
		"machine 0":                      func(i int64) Body { return bodyAt(noon(), 0, 0) + Body(i<<22) },
		"machine 4095":                   func(i int64) Body { return bodyAt(noon(), 0, 4095) + Body(i<<22) },
		"one in ten milliseconds":        func(i int64) Body { return bodyAt(noon(), 0, 7) + Body(i*10<<22) },
		"one millisecond, every machine": func(i int64) Body { return bodyAt(noon(), i/4096, i%4096) },
		"one a second":                   func(i int64) Body { return bodyAt(noon(), 0, 640) + Body(i*1000<<22) },
	}
	for name, mint := range mints {
		counts, pairs := make([]int, TableDigits), make([]int, TableDigits*TableDigits)
		last := mint(n).TableDigit()
		for i := range int64(n) {
			d := mint(i).TableDigit()
			counts[d]++
			pairs[last*TableDigits+d]++
			last = d
		}
		wantUniform(t, name, counts)
		wantUniform(t, name+", two after each other", pairs)
	}
}
