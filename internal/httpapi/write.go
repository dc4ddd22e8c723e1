package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"
)

// bufferBytesMax is the largest buffer that goes back into the pool.
const bufferBytesMax = 64 << 10

// Header values are set as ready slices: net/http only reads them, and the hot
// path allocates none.
var (
	typeJSON    = []string{"application/json"}
	typeProblem = []string{"application/problem+json"}
	noStore     = []string{"no-store"}
	noSniff     = []string{"nosniff"}
	closing     = []string{"close"}
)

// buffer lends an empty buffer; write takes it back.
func (a *API) buffer() *[]byte { return a.buffers.Get().(*[]byte) }

func (a *API) release(buf *[]byte) {
	if cap(*buf) <= bufferBytesMax {
		*buf = (*buf)[:0]
		a.buffers.Put(buf)
	}
}

// write sends a marshalled body. The error of a client that has gone is
// of no use.
func write(c *gin.Context, status int, contentType []string, body []byte) {
	h := c.Writer.Header()
	h["Content-Type"] = contentType
	h["Cache-Control"] = noStore
	h["X-Content-Type-Options"] = noSniff
	if c.Request.Method == http.MethodHead {
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	c.Writer.WriteHeader(status)
	_, _ = c.Writer.Write(body)
}

// appendString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD, which is all that can be done for them in JSON.
func appendString(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s)
	return b
}

const milliseconds = "2006-01-02T15:04:05.000Z07:00"

// appendTime appends t as RFC 3339 in UTC with milliseconds, quoted.
func appendTime(b []byte, t time.Time) []byte {
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, milliseconds)
	return append(b, '"')
}
