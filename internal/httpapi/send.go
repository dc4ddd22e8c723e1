package httpapi

import (
	"context"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"hongbao/envelope"
	"hongbao/internal/httpapi/bearer"
)

// send makes an unpaid envelope. A repeat of the key is a 201 like the first: the
// caller that never saw that one must not have to distinguish the two. What
// headers alone can refuse is refused before the body is read.
func (a *API) send(c *gin.Context) error {
	user, err := a.caller(c, bearer.ScopeSend)
	if err != nil {
		return err
	}
	if c.Request.URL.RawQuery != "" {
		return errQueryNotAllowed
	}
	key, err := onlyValue(c.Request.Header, "Idempotency-Key")
	if err != nil {
		return err
	}
	if key == "" { // longer and stranger ones are the limits' to refuse
		return &envelope.InvalidError{Field: "Idempotency-Key", Why: "is required"}
	}
	order, err := a.order(c.Request)
	if err != nil {
		return err
	}
	order.Sender, order.Key = user, key
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.cfg.AnswerMax)
	defer cancel()
	sent, err := a.cfg.Teller.Send(ctx, order)
	if err != nil {
		return err
	}
	c.Writer.Header()["Location"] = []string{"/v1/envelopes/" + string(sent.Envelope.ID)}
	buf := a.buffer()
	*buf = appendSent(*buf, &sent)
	write(c, http.StatusCreated, typeJSON, *buf)
	a.release(buf)
	return nil
}

// order reads the body of a send.
func (a *API) order(r *http.Request) (envelope.Order, error) {
	if err := wantJSON(r.Header); err != nil {
		return envelope.Order{}, err
	}
	buf := a.buffer()
	defer a.release(buf)
	var err error
	if *buf, err = readBody(*buf, r, a.cfg.BodyBytesMax); err != nil {
		return envelope.Order{}, err
	}
	return decodeOrder(*buf)
}

func appendSent(b []byte, s *envelope.Sent) []byte {
	e := &s.Envelope
	b = appendHead(b, e)
	b = append(b, `,"expires_at":`...)
	b = appendTime(b, e.ExpiresAt)
	b = append(b, `,"payment":{"order_no":"`...)
	b = append(b, e.ID...)
	b = append(b, '"')
	if s.CodeURL != "" {
		b = append(b, `,"code_url":`...)
		b = appendString(b, s.CodeURL)
	}
	return append(b, "}}"...)
}

// appendHead opens the object with what send and show both say.
func appendHead(b []byte, e *envelope.Envelope) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, e.ID...)
	b = append(b, `","kind":"`...)
	b = append(b, e.Kind...)
	b = append(b, `","state":"`...)
	b = append(b, e.State...)
	b = append(b, `","total_fen":`...)
	b = strconv.AppendInt(b, int64(e.Total), 10)
	b = append(b, `,"count":`...)
	b = strconv.AppendInt(b, int64(e.Count), 10)
	b = append(b, `,"draw_commitment":"`...)
	b = append(b, e.Commitment.Hex()...)
	return append(b, '"')
}
