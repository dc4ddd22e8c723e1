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
	if err := a.takeNotification(c); err != nil {
		a.fail(c, err)
		return
	}
	c.Writer.WriteHeader(http.StatusNoContent)
}

func (a *API) takeNotification(c *gin.Context) error {
	if err := uncoded(c.Request.Header); err != nil {
		return err
	}
	buf := a.buffer()
	defer a.release(buf)
	var err error
	if *buf, err = readBody(*buf, c.Request, a.cfg.NotificationBytesMax); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.cfg.AnswerMax)
	defer cancel()
	err = a.cfg.Notified(ctx, c.Request.Header, *buf)
	if err == nil {
		return nil
	}
	switch refused := a.cfg.Refused(err); {
	case refused == RefusedForged:
		return fmt.Errorf("%w: %w", errForged, err)
	case refused == RefusedNotOurs:
		return fmt.Errorf("%w: %w", errNotOurs, err)
	case refused == RefusedUnreadable:
		return fmt.Errorf("%w: %w", errUnreadableNotice, err)
	case errors.Is(err, envelope.ErrNotFound):
		return fmt.Errorf("%w: %w", errUnknownOrder, err)
	}
	return err
}

// fail answers a row of the table in the provider's words.
func (a *API) fail(c *gin.Context, err error) {
	r := classify(err)
	p := a.problems.row(r.code)
	a.report(c, p, &r, err)
	p.setHeaders(c.Writer.Header(), c.Request, &r)
	buf := a.buffer()
	*buf = append(*buf, `{"code":"FAIL","message":`...)
	*buf = appendString(*buf, p.title)
	*buf = append(*buf, '}')
	write(c, p.status, typeJSON, *buf)
	a.release(buf)
}
