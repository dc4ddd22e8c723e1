package httpapi

import (
	"context"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"hongbao/envelope"
	"hongbao/internal/httpapi/bearer"
)

// An ask is what the calls about one envelope have in common.
type ask struct {
	id     envelope.ID
	user   envelope.UserID
	ticket string
}

// ticketed says whether a call needs a ticket, or is for some without one: for the
// sender, or for the payee of a redirected payout.
type ticketed bool

const (
	ticketRequired ticketed = true
	ticketOptional ticketed = false
)

// ask reads one: the caller, nothing but headers, the envelope. The ticket is the
// teller's to check.
func (a *API) ask(c *gin.Context, need bearer.Scope, ticketed ticketed) (ask, error) {
	user, err := a.caller(c, need)
	if err != nil {
		return ask{}, err
	}
	if c.Request.URL.RawQuery != "" {
		return ask{}, errQueryNotAllowed
	}
	if err := refuseBody(c.Request); err != nil {
		return ask{}, err
	}
	const header = "Envelope-Ticket"
	ticket, err := onlyValue(c.Request.Header, header)
	if err != nil {
		return ask{}, err
	}
	if ticket == "" && ticketed == ticketRequired {
		return ask{}, &envelope.InvalidError{Field: header, Why: "is required"}
	}
	id, err := envelope.ParseID(c.Param("id"))
	return ask{id: id, user: user, ticket: ticket}, err
}

// caller is the user of the token, if it covers the call.
func (a *API) caller(c *gin.Context, need bearer.Scope) (envelope.UserID, error) {
	caller, err := a.cfg.Auth.Authenticate(c.Request.Header)
	if err != nil {
		return "", err
	}
	if caller.Scopes&need == 0 {
		return "", bearer.Lacking(need)
	}
	return caller.User, nil
}

// onlyValue is the value of a header that may come once; name is canonical.
func onlyValue(h http.Header, name string) (string, error) {
	switch values := h[name]; len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	}
	return "", &envelope.InvalidError{Field: name, Why: "must be given once"}
}

// open takes a share for the caller. Losing is a 200 with an outcome.
func (a *API) open(c *gin.Context) error { return a.opening(c, a.cfg.Teller.Open) }

// echo answers what open would, without queue and database behind it: the
// ceiling that opens are measured against.
func (a *API) echo(c *gin.Context) error { return a.opening(c, a.cfg.Echo) }

// take is the signature of [Teller]'s Open.
type take func(ctx context.Context, req envelope.OpenRequest, ticket string) (envelope.Opening, error)

func (a *API) opening(c *gin.Context, do take) error {
	q, err := a.ask(c, bearer.ScopeOpen, ticketRequired)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.cfg.AnswerMax)
	defer cancel()
	o, err := do(ctx, envelope.OpenRequest{ID: q.id, User: q.user}, q.ticket)
	if err != nil {
		return err
	}
	buf := a.buffer()
	*buf = appendOpening(*buf, &o)
	write(c, http.StatusOK, typeJSON, *buf)
	a.release(buf)
	return nil
}

func appendOpening(b []byte, o *envelope.Opening) []byte {
	b = appendOutcome(b, o.Outcome)
	if o.Outcome == envelope.Opened || o.Outcome == envelope.AlreadyOpened {
		b = append(b, `,"amount_fen":`...)
		b = strconv.AppendInt(b, int64(o.Share.Amount), 10)
		b = append(b, `,"seq":`...)
		b = strconv.AppendInt(b, int64(o.Share.Seq), 10)
	}
	return append(b, '}')
}

// appendOutcome opens the object; the caller closes it.
func appendOutcome(b []byte, o envelope.Outcome) []byte {
	b = append(b, `{"outcome":"`...)
	b = append(b, o...)
	return append(b, '"')
}

// grab says whether the envelope is worth opening.
func (a *API) grab(c *gin.Context) error {
	q, err := a.ask(c, bearer.ScopeOpen, ticketRequired)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.cfg.AnswerMax)
	defer cancel()
	o, err := a.cfg.Teller.Grab(ctx, q.id, q.user, q.ticket)
	if err != nil {
		return err
	}
	buf := a.buffer()
	*buf = append(appendOutcome(*buf, o), '}')
	write(c, http.StatusOK, typeJSON, *buf)
	a.release(buf)
	return nil
}
