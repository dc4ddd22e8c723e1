package layout

import (
	"strconv"
	"strings"

	"hongbao/envelope"
)

// Text builds one statement.
type Text struct{ strings.Builder }

// Add writes SQL as it is.
func (b *Text) Add(parts ...string) {
	for _, p := range parts {
		b.WriteString(p)
	}
}

// Int writes a number.
func (b *Text) Int(v int64) {
	var buf [20]byte
	b.Write(strconv.AppendInt(buf[:0], v, 10))
}

// IDs writes the order IDs of an IN list.
func (b *Text) IDs(ids []envelope.ID) {
	for i, id := range ids {
		if i > 0 {
			b.Add(",")
		}
		b.Add("'", string(id), "'")
	}
}

// Quoted writes a string literal. Names are visible ASCII (envelope.CheckName),
// so quote and backslash are all there is to escape; the session's sql_mode has
// no NO_BACKSLASH_ESCAPES, which Open asserts.
func (b *Text) Quoted(s string) {
	b.WriteByte('\'')
	for i := range len(s) {
		if s[i] == '\'' || s[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	b.WriteByte('\'')
}
