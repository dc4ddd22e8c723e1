package webhook

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// object is JSON being written by hand: an event has few fields in a fixed order,
// and reflection took two to three times as long over them. Each begin has its
// end; names need no escapes.
type object struct {
	json []byte
	err  error // the first text that is no UTF-8
}

// begin opens an object with '{' or an array with '['.
func (o *object) begin(bracket byte) {
	o.comma()
	o.json = append(o.json, bracket)
}

// end closes with '}' or ']'.
func (o *object) end(bracket byte) { o.json = append(o.json, bracket) }

func (o *object) name(name string) {
	o.comma()
	o.json = append(o.json, '"')
	o.json = append(o.json, name...)
	o.json = append(o.json, '"', ':')
}

// comma parts what comes next from the value that stands before it.
func (o *object) comma() {
	if len(o.json) == 0 {
		return
	}
	switch o.json[len(o.json)-1] {
	case '{', '[', ':':
	default:
		o.json = append(o.json, ',')
	}
}

func (o *object) text(name, value string) {
	o.name(name)
	quoted, err := jsontext.AppendQuote(o.json, value)
	if err != nil && o.err == nil {
		o.err = err
	}
	o.json = quoted
}

func (o *object) number(name string, value int64) {
	o.name(name)
	o.json = strconv.AppendInt(o.json, value, 10)
}

// time is RFC 3339 in UTC with milliseconds, cut and not rounded, as every time
// leaves this service.
func (o *object) time(name string, at time.Time) {
	o.name(name)
	o.json = append(o.json, '"')
	o.json = at.UTC().AppendFormat(o.json, time.RFC3339) // a layout that is not parsed each time
	o.json = append(o.json[:len(o.json)-len("Z")], '.')
	ms := at.Nanosecond() / int(time.Millisecond)
	o.json = append(o.json, byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), 'Z', '"')
}
