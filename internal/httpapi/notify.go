package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"hongbao/envelope"
)

// notified takes the payment provider's callback and answers as the provider
// expects: 204 when there is nothing more to do, and a status of 4xx or 5xx with
// FAIL when it should send the notification again. The provider goes by the
// status alone, so no failure is ever a 2xx (FF2, FF9).
func (a *API) notified(c *gin.Context) {
	if err := a.takePayment(c); err != nil {
		a.fail(c, err)
		return
	}
	c.Writer.WriteHeader(http.StatusNoContent)
}

func (a *API) takePayment(c *gin.Context) error {
	buf := a.buffer()
	defer a.release(buf)
	var err error
	if *buf, err = readBody(*buf, c.Request, a.cfg.NotificationBytesMax); err != nil {
		return err
	}
	payment, err := a.cfg.ParsePayment(c.Request.Header, *buf)
	switch {
	case err == nil:
	case a.cfg.NotPayment(err):
		return nil
	case a.cfg.Forged(err):
		return fmt.Errorf("%w: %w", errForged, err)
	default:
		return fmt.Errorf("%w: %w", errMalformed, err)
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.cfg.AnswerMax)
	defer cancel()
	err = a.cfg.Teller.Paid(ctx, payment)
	if errors.Is(err, envelope.ErrNotFound) {
		err = fmt.Errorf("%w: %w", errUnknownOrder, err)
	}
	if err != nil {
		return fmt.Errorf("payment of %s: %w", payment.OrderNo, err)
	}
	return nil
}

// fail answers a row of the table in the provider's words.
func (a *API) fail(c *gin.Context, err error) {
	r := classify(err)
	p := a.problems.row(r.code)
	a.report(c, p, &r, err)
	p.setHeaders(c, &r)
	buf := a.buffer()
	*buf = append(*buf, `{"code":"FAIL","message":`...)
	*buf = appendString(*buf, p.title)
	*buf = append(*buf, '}')
	write(c, p.status, typeJSON, *buf)
	a.release(buf)
}
