package payment

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"hongbao/envelope"
)

// billLineBytesMax bounds one line of a bill.
const billLineBytesMax = 64 << 10

// sheet is how one kind of bill is laid out: a line of column names, the rows, a
// line of names of sums, and the sums. The names are the provider's.
type sheet struct {
	columns []string // the ones we need
	sums    []string // the ones we check; a name that ends in 数 counts, others add up yuan
	rowsMax int
	entry   func(r *row, totals map[string]envelope.Fen) BillEntry
}

// row is a line under its column names. The first thing wrong with it stays in
// err.
type row struct {
	index map[string]int
	cells []string
	err   error
}

func (r *row) text(column string) string { return r.cells[r.index[column]] }

func (r *row) yuan(column string) envelope.Fen {
	v, err := parseYuan(r.text(column))
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("%s: %w", column, err)
	}
	return v
}

func (r *row) time(column string) time.Time {
	at, err := time.ParseInLocation(time.DateTime, r.text(column), time.FixedZone("UTC+08:00", 8*60*60))
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("%s: %w", column, err)
	}
	return at
}

// read takes the whole bill. Any doubt about any of it is an error: half a bill
// would show differences that are none.
func (s *sheet) read(from io.Reader) ([]BillEntry, error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, billLineBytesMax)
	var (
		entries []BillEntry
		index   map[string]int
		totals  = map[string]envelope.Fen{}
	)
	for n := 1; lines.Scan(); n++ {
		line := cells(lines.Text())
		switch {
		case n == 1:
			if index = indexOf(line); !hasAll(index, s.columns) {
				return nil, fmt.Errorf("bill: want the columns %v, have %v", s.columns, line)
			}
		case line[0] == s.sums[0]:
			return entries, s.check(lines, line, totals)
		default:
			if len(line) != len(index) {
				return nil, fmt.Errorf("bill, line %d: %d cells under %d names", n, len(line), len(index))
			}
			r := row{index: index, cells: line}
			e := s.entry(&r, totals)
			if r.err == nil && e.Kind != BillOther && e.Amount < 1 {
				r.err = fmt.Errorf("want an amount >= 1 fen, have %d", e.Amount)
			}
			if r.err != nil {
				return nil, fmt.Errorf("bill, line %d: %w", n, r.err)
			}
			if len(entries) == s.rowsMax {
				return nil, fmt.Errorf("bill: want at most %d rows", s.rowsMax)
			}
			entries = append(entries, e)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("bill: %w", err)
	}
	return nil, errors.New("bill: it ends before its sums")
}

// check compares what the bill says it adds up to with what it does, and reads
// to its end.
func (s *sheet) check(lines *bufio.Scanner, names []string, totals map[string]envelope.Fen) error {
	if !lines.Scan() {
		return errors.New("bill: it ends before its sums")
	}
	r := row{index: indexOf(names), cells: cells(lines.Text())}
	if !hasAll(r.index, s.sums) || len(r.cells) != len(names) {
		return fmt.Errorf("bill: want the sums %v, have %v", s.sums, names)
	}
	for _, name := range s.sums {
		said, err := parseSum(name, r.text(name))
		if err != nil {
			return fmt.Errorf("bill: %s: %w", name, err)
		}
		if said != totals[name] {
			return fmt.Errorf("bill: %s is said to be %d and is %d", name, said, totals[name])
		}
	}
	for lines.Scan() {
		if strings.TrimSpace(lines.Text()) != "" {
			return errors.New("bill: it goes on after its sums")
		}
	}
	return lines.Err()
}

func parseSum(name, s string) (envelope.Fen, error) {
	if !strings.HasSuffix(name, "数") {
		return parseYuan(s)
	}
	n, err := strconv.ParseUint(s, 10, 31)
	return envelope.Fen(n), err
}

// cells splits a line. Every cell of a row starts with a backtick, names do not;
// a comma inside a cell is therefore no end of it. Each cell is a copy: none
// keeps the line alive.
func cells(line string) []string {
	line = strings.TrimSuffix(strings.TrimPrefix(line, "\ufeff"), "\r")
	separator := ","
	if rest, isRow := strings.CutPrefix(line, "`"); isRow {
		line, separator = rest, ",`"
	}
	return strings.Split(line, separator)
}

func indexOf(names []string) map[string]int {
	index := make(map[string]int, len(names))
	for i, name := range names {
		index[name] = i
	}
	return index
}

func hasAll(index map[string]int, names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { _, ok := index[name]; return !ok })
}
