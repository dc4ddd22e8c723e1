package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"time"

	"hongbao/internal/webhook"
	"hongbao/internal/webhook/receiver"
)

// eventReceiverCmd stands in for the IM backend. It reads no settings: the
// backend knows nothing of us but the secret.
type eventReceiverCmd struct {
	Listen     string `required:"" help:"host:port."`
	SecretFile string `required:"" help:"File of the secret that events are signed under." type:"path"`
	Show       int    `default:"50" help:"Events on the page, 1 to 200."`
}

func (e eventReceiverCmd) Run(ctx context.Context) error {
	secret, err := webhook.LoadSecret(e.SecretFile)
	if err != nil {
		return err
	}
	r, err := receiver.New(receiver.Config{
		Secret: string(secret), Show: e.Show, Now: time.Now, Log: slog.New(slog.NewJSONHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", e.Listen)
	if err != nil {
		return err
	}
	return r.Run(ctx, listener)
}
