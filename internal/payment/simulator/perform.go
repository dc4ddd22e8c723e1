package simulator

import (
	"context"
	"net/http"
	"time"

	"hongbao/internal/payment/simulator/lies"
	"hongbao/internal/payment/simulator/refusal"
)

const (
	// silenceMax is how long a call is left without an answer when its caller
	// does not give up.
	silenceMax = 2 * time.Minute
	// afterthoughtsMax bounds the calls that wait to be executed later.
	afterthoughtsMax = 1 << 16
)

// perform carries a call out, or lies about it.
func (s *Simulator) perform(ctx context.Context, c *call) (any, error) {
	if s.liar.Tells(c.Operation, lies.Outage) {
		return nil, errOutage
	}
	// What is done is done whole, whether the caller stays or leaves.
	ctx = context.WithoutCancel(ctx)
	if !c.changes {
		return s.truly(ctx, c)
	}
	told, how := s.liar.Tell(c.Operation, lies.TimeoutBefore, lies.TimeoutAfter, lies.ExecuteLater, lies.TimeoutLater, lies.UnknownCode, lies.UnknownCodeAfter, lies.NotEnough, lies.RefuseRequest)
	switch told {
	case lies.TimeoutBefore:
		return nil, errSilence
	case lies.UnknownCode:
		return nil, errUnknownCode
	case lies.NotEnough:
		return nil, refusal.New(http.StatusForbidden, "NOT_ENOUGH", "商户余额不足")
	case lies.RefuseRequest:
		return nil, refusal.New(http.StatusForbidden, how.Code, "请求被拒绝")
	case lies.ExecuteLater:
		s.doLater(c, lies.Milliseconds(how.LaterMS))
		return nil, refusal.ErrSystem
	case lies.TimeoutLater:
		s.doLater(c, lies.Milliseconds(how.LaterMS))
		return nil, errSilence
	}
	value, err := s.truly(ctx, c)
	switch told {
	case lies.TimeoutAfter:
		return nil, errSilence
	case lies.UnknownCodeAfter:
		return nil, errUnknownCode
	}
	return value, err
}

var errUnknownCode = refusal.New(http.StatusBadRequest, "A_CODE_NOBODY_KNOWS", "未知错误")

// stated is an answer with a state in it.
type stated interface{ WithState(state string) any }

const stateNobodyKnows = "A_STATE_NOBODY_KNOWS"

// truly does what is asked, and may still misstate what it says.
func (s *Simulator) truly(ctx context.Context, c *call) (any, error) {
	value, err := c.do(ctx)
	if a, ok := value.(stated); ok && err == nil && s.liar.Tells(c.Operation, lies.UnknownState) {
		return a.WithState(stateNobodyKnows), nil
	}
	return value, err
}

// doLater executes a call that was not answered truly. Over the bound it is not
// executed, which its caller cannot tell from a call that was lost.
func (s *Simulator) doLater(c *call, after time.Duration) {
	if s.afterthoughts.Add(1) > afterthoughtsMax {
		s.afterthoughts.Add(-1)
		return
	}
	s.moves.At(time.Now().Add(after), func(ctx context.Context) {
		defer s.afterthoughts.Add(-1)
		if _, err := c.do(ctx); err != nil {
			s.cfg.Log.Debug("refused later", "kind", c.Kind, "no", c.No, "error", err)
		}
	})
}

// silence waits until the caller gives up, and ends the connection.
func (s *Simulator) silence(ctx context.Context) {
	timer := time.NewTimer(silenceMax)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-s.stopping:
	case <-timer.C:
	}
	panic(http.ErrAbortHandler)
}
