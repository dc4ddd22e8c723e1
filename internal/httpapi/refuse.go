package httpapi

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
)

// refuse answers an error as the table says.
func (a *API) refuse(c *gin.Context, err error) {
	r := classify(err)
	p := a.problems.row(r.code)
	a.report(c, p, &r, err)
	p.setHeaders(c.Writer.Header(), c.Request, &r)
	buf := a.buffer()
	*buf = p.appendBody(*buf, &r)
	write(c, p.status, typeProblem, *buf)
	a.release(buf)
}

// report logs what operators must see: faults whole, unknown outcomes and
// payments that do not match. Everything else is the caller's to read.
func (a *API) report(c *gin.Context, p *problem, r *refusal, err error) {
	level := slog.LevelWarn
	switch p.code {
	case codeInternal:
		level = slog.LevelError
	case codeOutcomeUnknown:
		if c.Request.Context().Err() != nil {
			return // the caller left
		}
	case "payment_mismatch", "transfer_conflict", "unknown_order", "not_ours", "unreadable_notification":
	case "forged_notification":
		// Anyone can send these: one a second is logged, the metrics count them all.
		if now := a.cfg.Now().Unix(); a.forgedLogged.Swap(now) == now {
			return
		}
	default:
		return
	}
	r.requestID = requestID(c.Request.Header) // what is not logged has none: nothing would be found by it
	a.cfg.Log.LogAttrs(c.Request.Context(), level, "request not carried out", slog.String("code", p.code),
		slog.String("method", c.Request.Method), slog.String("route", routeName(c)),
		slog.String("request_id", r.requestID), slog.Any("error", err))
}

// setHeaders sets what belongs to the refusal. A body that was not read costs
// the connection, so that the answer does not wait for its end.
func (p *problem) setHeaders(h http.Header, req *http.Request, r *refusal) {
	if r.challenge != "" {
		h["Www-Authenticate"] = []string{r.challenge}
	}
	if p.retryable {
		h["Retry-After"] = []string{retrySeconds(r.retryAfter)}
	}
	if req.Body != nil && req.Body != http.NoBody {
		h["Connection"] = closing
	}
}

// retrySeconds rounds up to whole seconds, at least one.
func retrySeconds(d time.Duration) string {
	return strconv.FormatInt(max(1, int64((d+time.Second-1)/time.Second)), 10)
}

// appendBody completes the row's body with what only this request has.
func (p *problem) appendBody(b []byte, r *refusal) []byte {
	b = append(b, p.head...)
	for _, m := range [...]struct{ name, value string }{
		{`,"detail":`, r.detail}, {`,"field":`, r.field}, {`,"rule":`, r.rule}, {`,"request_id":`, r.requestID},
	} {
		if m.value != "" {
			b = append(b, m.name...)
			b = appendString(b, m.value)
		}
	}
	return append(b, '}')
}

// problemTable finds rows by code.
type problemTable map[string]*problem

func newProblemTable() problemTable {
	t := problemTable{}
	for _, p := range problems() {
		p.head = append(p.head, `{"type":"urn:hongbao:problem:`...)
		p.head = append(p.head, p.code...)
		p.head = append(p.head, `","title":`...)
		p.head = appendString(p.head, p.title)
		p.head = append(p.head, `,"status":`...)
		p.head = strconv.AppendInt(p.head, int64(p.status), 10)
		p.head = append(p.head, `,"code":"`...)
		p.head = append(p.head, p.code...)
		p.head = append(p.head, `","retryable":`...)
		p.head = strconv.AppendBool(p.head, p.retryable)
		t[p.code] = &p
	}
	return t
}

// row never fails: a busy reason without a row is answered as busy.
func (t problemTable) row(code string) *problem {
	if p, ok := t[code]; ok {
		return p
	}
	return t[codeBusy]
}
