package main

import (
	"context"
	"errors"
	"net/http"

	"hongbao/envelope"
	"hongbao/internal/payment"
)

// notified takes what the payment provider says of its own accord.
func (d *daemon) notified(teller *envelope.Teller, provider *payment.Client) func(context.Context, http.Header, []byte) error {
	return func(ctx context.Context, header http.Header, body []byte) error {
		p, err := provider.ParseNotification(header, body)
		switch {
		case errors.Is(err, payment.ErrNotPayment):
			return nil
		case err != nil:
			return err
		}
		return teller.Paid(ctx, p)
	}
}
