package loadtest

import (
	"context"
	"fmt"
	"net/http"

	"golang.org/x/sync/errgroup"

	"hongbao/envelope"
)

// Grab asks of each envelope whether it is worth opening, which a service keeps
// in memory from then on. Users take turns; an answer that is busy or unknown is
// retried, and every other error ends it.
func Grab(ctx context.Context, api string, users []User, ids []envelope.ID, ticket func(envelope.ID) string) error {
	desk := newDesk(api)
	defer desk.close()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(deskCallersMax)
	for i, id := range ids {
		g.Go(func() error {
			grab := request{method: http.MethodPost, url: desk.api + "/v1/envelopes/" + string(id) + "/grab",
				token: users[i%len(users)].Token, ticket: ticket(id)}
			if err := patiently(ctx, func() error { return desk.call(ctx, grab, nil) }); err != nil {
				return fmt.Errorf("grab %s: %w", id, err)
			}
			return nil
		})
	}
	return g.Wait()
}
