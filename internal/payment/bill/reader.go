package bill

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

const (
	// lineBytesMax bounds one line of a bill.
	lineBytesMax = 64 << 10
	// rowsMax bounds what one bill takes in memory: about 200 bytes a row.
	rowsMax = 2_000_000
)

// sheet is how one kind of bill is laid out: a line of column names, the rows, a
// line of names of sums, and the sums. The names are the provider's.
type sheet struct {
	columns []string // the ones we need
	sums    []string // the ones we check; a name that ends in 数 counts, others add up yuan
	entry   func(r *row, totals map[string]envelope.Fen) Entry
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

// read takes the whole bill. A row that can not be made out is an entry of its
// own ([Unreadable]); any doubt about the rest, its sums above all, is an
// error: half a bill would show differences that are none.
func (s *sheet) read(from io.Reader) ([]Entry, error) {
	b := &billReading{sheet: s, totals: map[string]envelope.Fen{}}
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, lineBytesMax)
	// The last two lines are the sums' names and the sums, whatever the text in
	// some cell looks like: a line is a row's when two more have come.
	var last [2]billLine
	for n := 1; lines.Scan(); n++ {
		line := billLine{n, strings.TrimSuffix(strings.TrimPrefix(lines.Text(), "\ufeff"), "\r")}
		switch {
		case n == 1:
			if b.names(line.text); !hasAll(b.index, s.columns) {
				return nil, fmt.Errorf("bill: want the columns %v, have %v", s.columns, b.columns)
			}
		case line.text != "":
			if err := b.line(last[0]); err != nil {
				return nil, err
			}
			last = [2]billLine{last[1], line}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("bill: %w", err)
	}
	if last[0].n == 0 {
		return nil, errors.New("bill: it ends before its sums")
	}
	if err := b.endRow(); err != nil {
		return nil, err
	}
	return b.entries, b.check(cells(last[0].text), cells(last[1].text))
}

// billLine is one line of the file, by its number from 1.
type billLine struct {
	n    int
	text string
}

// billReading is a bill that is being read.
type billReading struct {
	*sheet
	columns    []string
	index      map[string]int
	row        billLine // the one under way: text in a cell may end lines
	entries    []Entry
	totals     map[string]envelope.Fen
	unreadable int
}

func (b *billReading) names(line string) {
	b.columns = cells(line)
	b.index = indexOf(b.columns)
}

// line takes the next line of the rows: it begins one, or goes on with the last.
func (b *billReading) line(l billLine) error {
	switch {
	case l.n == 0:
		return nil
	case b.row.n == 0 || b.begins(l.text):
		err := b.endRow()
		b.row = l
		return err
	case len(b.row.text)+len(l.text) < lineBytesMax:
		b.row.text += "\n" + l.text
	}
	return nil
}

// begins reports whether a row begins with the line, as far as its first cell
// can tell.
func (b *billReading) begins(line string) bool {
	first, isRow := strings.CutPrefix(line, "`")
	if !isRow || b.columns[0] != b.sheet.columns[0] {
		return isRow
	}
	first, _, _ = strings.Cut(first, ",`")
	return looksLikeTime(first)
}

// endRow makes an entry of the row under way.
func (b *billReading) endRow() error {
	if b.row.n == 0 {
		return nil
	}
	if len(b.entries) == rowsMax {
		return fmt.Errorf("bill: want at most %d rows", rowsMax)
	}
	entry, totals, err := b.parse(b.row.text)
	if err != nil {
		b.unreadable++
		entry = Entry{Kind: Unreadable, Line: b.row.n, Why: err.Error()}
	} else {
		for name, fen := range totals {
			b.totals[name] += fen
		}
	}
	b.entries = append(b.entries, entry)
	b.row = billLine{}
	return nil
}

func (b *billReading) parse(text string) (e Entry, totals map[string]envelope.Fen, err error) {
	cells, err := assign(cells(text), b.columns, b.sheet.columns)
	if err != nil {
		return e, nil, err
	}
	r, totals := row{index: b.index, cells: cells}, map[string]envelope.Fen{}
	e = b.entry(&r, totals)
	if r.err == nil && e.Kind != Other && e.Amount < 1 {
		r.err = fmt.Errorf("want an amount >= 1 fen, have %d", e.Amount)
	}
	return e, totals, r.err
}

// check compares what the bill says it adds up to with what it does. What it
// says of rows that can not be made out must have room in the difference.
func (b *billReading) check(names, sums []string) error {
	r := row{index: indexOf(names), cells: sums}
	if !hasAll(r.index, b.sums) || len(sums) != len(names) {
		return fmt.Errorf("bill: want the sums %v, have %v", b.sums, names)
	}
	for _, name := range b.sums {
		said, err := parseSum(name, r.text(name))
		if err != nil {
			return fmt.Errorf("bill: %s: %w", name, err)
		}
		most := b.totals[name]
		if counts := strings.HasSuffix(name, "数"); counts {
			most += envelope.Fen(b.unreadable)
		} else if b.unreadable > 0 {
			most = said
		}
		if said < b.totals[name] || said > most {
			return fmt.Errorf("bill: %s is said to be %d and is %d, with %d rows that can not be made out", name, said, b.totals[name], b.unreadable)
		}
	}
	return nil
}

func parseSum(name, s string) (envelope.Fen, error) {
	if !strings.HasSuffix(name, "数") {
		return parseYuan(s)
	}
	n, err := strconv.ParseUint(s, 10, 31)
	return envelope.Fen(n), err
}

// cells splits a line. Every cell of a row starts with a backtick, names do not;
// a comma inside a cell is therefore no end of it, and only a comma with a
// backtick after it can be taken for one.
func cells(line string) []string {
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
