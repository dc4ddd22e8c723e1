package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"hongbao/envelope"
	"hongbao/internal/webhook"
)

// receive is a whole receiver. Handle does its work once per ID: a repeat has the
// same one. What it answers 204 to is never sent again.
func receive(hook *standardwebhooks.Webhook, handle func(id, kind string, data json.RawMessage) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 128<<10))
		if err != nil {
			http.Error(w, "too long", http.StatusRequestEntityTooLarge)
			return
		}
		if err := hook.Verify(body, r.Header); err != nil {
			http.Error(w, "not signed", http.StatusBadRequest)
			return
		}
		var event struct {
			Type string
			Data json.RawMessage
		}
		if err := json.Unmarshal(body, &event); err != nil {
			http.Error(w, "not an event", http.StatusBadRequest)
			return
		}
		if err := handle(r.Header.Get("webhook-id"), event.Type, event.Data); err != nil {
			http.Error(w, "again, please", http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

func Example_receiver() {
	const secret = "whsec_aGVsbG8sIHRoaXMgaXMgYSBzYW1wbGUgc2VjcmV0IQ=="
	hook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		panic(err)
	}
	im := httptest.NewServer(receive(hook, func(id, kind string, data json.RawMessage) error {
		fmt.Println(id, kind)
		fmt.Println(string(data))
		return nil
	}))
	defer im.Close()

	tickets, err := envelope.NewTickets(envelope.TicketKey{Number: 1, Secret: []byte(strings.Repeat("k", 32))})
	if err != nil {
		panic(err)
	}
	sender, err := webhook.New(webhook.Config{
		URL: im.URL, Secrets: []webhook.Secret{webhook.Secret(secret)}, Tickets: tickets, AllowPrivate: true, Now: time.Now,
	})
	if err != nil {
		panic(err)
	}
	defer sender.Close()
	err = sender.Notify(context.Background(), envelope.Fact{
		Kind:     envelope.FactRefunded,
		Envelope: envelope.Envelope{ID: envelope.Body(1<<40 + 7).In(3), Group: "g-1", Sender: "ann"},
		Refund:   envelope.Refund{Amount: 100, PostedAt: time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)},
	})
	fmt.Println(err)
	// Output:
	// 00000010995116277830032-refunded envelope.refunded
	// {"envelope_id":"00000010995116277830032","group_id":"g-1","sender_id":"ann","refunded_fen":100,"refunded_at":"2026-11-23T04:00:00.000Z"}
	// <nil>
}
