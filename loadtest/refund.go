package loadtest

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"hongbao/envelope"
)

// refundEvery is the pause between two looks at an envelope whose life is over.
const refundEvery = 100 * time.Millisecond

// AwaitRefunds waits until the refund of every envelope of the stage is posted,
// and returns how long after the end of each life that was. The stage's plan
// leaves shares in all of them; ctx bounds the wait.
func (s *Stage) AwaitRefunds(ctx context.Context) ([]time.Duration, error) {
	var g errgroup.Group
	lags := make([]time.Duration, len(s.lives))
	for gift := range s.lives {
		g.Go(func() (err error) {
			lags[gift], err = s.awaitRefund(ctx, gift)
			return err
		})
	}
	return lags, g.Wait()
}

// awaitRefund is how long after the end of its life an envelope's refund is posted.
func (s *Stage) awaitRefund(ctx context.Context, gift int) (time.Duration, error) {
	token := s.cfg.Users[s.cfg.Plan.Gifts[gift].Sender].Token
	for {
		shown, err := s.desk.show(ctx, token, s.lives[gift].id)
		switch {
		case err != nil && ctx.Err() == nil:
			return 0, err
		case err == nil && shown.Refund.State == envelope.Posted:
			return max(0, time.Since(shown.ExpiresAt)), nil
		}
		wait := refundEvery
		if err == nil {
			wait = max(wait, time.Until(shown.ExpiresAt))
		}
		if err := Sleep(ctx, wait); err != nil {
			return 0, err
		}
	}
}
