package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"hongbao/envelope"
	"hongbao/internal/httpapi/bearer"
)

// show answers an envelope with its shares so far.
func (a *API) show(c *gin.Context) error {
	q, err := a.ask(c, bearer.ScopeShow, ticketOptional)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.cfg.AnswerMax)
	defer cancel()
	d, err := a.cfg.Teller.Show(ctx, q.id, q.user, q.ticket)
	if err != nil {
		return err
	}
	buf := a.buffer()
	*buf = appendDetails(*buf, &d)
	write(c, http.StatusOK, typeJSON, *buf)
	a.release(buf)
	return nil
}

// payout asks for the caller's payouts again that they had not confirmed in time, and
// answers all that go to them.
func (a *API) payout(c *gin.Context) error {
	q, err := a.ask(c, bearer.ScopeOpen, ticketOptional)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.cfg.AnswerMax)
	defer cancel()
	payouts, err := a.cfg.Teller.Payout(ctx, q.id, q.user, q.ticket)
	if err != nil {
		return err
	}
	buf := a.buffer()
	members := appendPayouts((*buf)[:0], payouts)
	members[0] = '{' // in place of the comma
	*buf = append(members, '}')
	write(c, http.StatusOK, typeJSON, *buf)
	a.release(buf)
	return nil
}

// appendDetails leaves out what has not come yet: a member is there when it says
// something.
func appendDetails(b []byte, d *envelope.Details) []byte {
	e := &d.Envelope
	b = appendHead(b, e)
	b = appendMember(b, "sender_id", string(e.Sender))
	b = appendMember(b, "group_id", string(e.Group))
	b = appendMember(b, "recipient_id", string(e.Recipient))
	b = appendMember(b, "greeting", e.Greeting)
	for _, n := range [...]struct {
		name  string
		value int64
	}{
		{`,"share_min_fen":`, int64(e.Bounds().Min)}, {`,"share_max_fen":`, int64(e.ShareMax)}, {`,"opened_fen":`, int64(e.Opened)},
		{`,"opened_count":`, int64(e.OpenedCount)}, {`,"refunded_fen":`, int64(e.Refunded)},
		{`,"remaining_fen":`, int64(e.Remaining())},
	} {
		b = append(b, n.name...)
		b = strconv.AppendInt(b, n.value, 10)
	}
	b = appendWhen(b, "created_at", e.CreatedAt)
	b = appendWhen(b, "paid_at", e.PaidAt)
	b = appendWhen(b, "expires_at", e.ExpiresAt)
	b = appendWhen(b, "finished_at", e.FinishedAt)
	if d.Seed != nil {
		b = appendMember(b, "draw_seed", d.Seed.Hex())
	}
	b = appendMember(b, "ticket", d.Ticket)
	b = appendPayouts(b, d.Payouts)
	if d.Refund != nil {
		b = appendTransfer(append(b, `,"refund":`...), d.Refund)
	}
	return append(appendShares(b, d), '}')
}

// appendPayouts appends those that go to the caller; hardly ever is there a second.
func appendPayouts(b []byte, payouts []envelope.Transfer) []byte {
	for i := range payouts {
		switch i {
		case 0:
			b = append(b, `,"payout":`...)
		case 1:
			b = append(b, `,"more_payouts":[`...)
		default:
			b = append(b, ',')
		}
		b = appendTransfer(b, &payouts[i])
	}
	if len(payouts) > 1 {
		b = append(b, ']')
	}
	return b
}

// appendTransfer appends money that is on its way to the caller, or has arrived.
// confirm is what the caller's wallet needs to take it (package_info).
func appendTransfer(b []byte, t *envelope.Transfer) []byte {
	b = append(b, `{"state":`...)
	state := t.State
	if state == envelope.Stuck { // to its payee it is the same: people have to act
		state = envelope.Held
	}
	b = appendString(b, string(state))
	b = append(b, `,"amount_fen":`...)
	b = strconv.AppendInt(b, int64(t.Amount), 10)
	b = appendMember(b, "confirm", t.Hint)
	return append(b, '}')
}

func appendShares(b []byte, d *envelope.Details) []byte {
	b = append(b, `,"shares":[`...)
	for i := range d.Shares {
		s := &d.Shares[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"user_id":`...)
		b = appendString(b, string(s.User))
		b = append(b, `,"amount_fen":`...)
		b = strconv.AppendInt(b, int64(s.Amount), 10)
		b = append(b, `,"seq":`...)
		b = strconv.AppendInt(b, int64(s.Seq), 10)
		b = appendWhen(b, "opened_at", s.OpenedAt)
		b = append(b, `,"best_luck":`...)
		b = strconv.AppendBool(b, s.Seq == d.BestLuck)
		b = append(b, '}')
	}
	return append(b, ']')
}

// appendMember appends a string member; an empty one is left out.
func appendMember(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return appendString(b, value)
}

// appendWhen appends a time; the zero time has not come and is left out.
func appendWhen(b []byte, name string, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return appendTime(b, t)
}
