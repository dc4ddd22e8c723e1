package main

import (
	"context"
	"encoding/json"
	"net/http"

	"hongbao/cmd/internal/settings"
	"hongbao/envelope"
)

// durability says under which promise the numbers of a load run are made.
const durability = "one node per SET, binlog and redo log fsynced at every commit"

// operator is the operator's listener: what the API offers there, and what only
// the whole daemon knows.
func (d *daemon) operator() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", d.api.Operator())
	mux.HandleFunc("GET /load/mode", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		// The error of a client that has gone is nobody's.
		_ = json.NewEncoder(w).Encode(map[string]string{"open_mode": string(d.mode), "durability": durability})
	})
	mux.HandleFunc("POST /sets/{set}/refuse", d.refuse(true))
	mux.HandleFunc("POST /sets/{set}/admit", d.refuse(false))
	d.outboxRoutes(mux)
	d.heldRoutes(mux)
	return mux
}

// echo is the ceiling of open, where things may be measured: credential and
// ticket are checked, then nothing is done.
func echo(conf *settings.Settings, tickets *envelope.Tickets) func(context.Context, envelope.ID, envelope.UserID, string) (envelope.Opening, error) {
	if conf.Environment == settings.Production {
		return nil
	}
	return func(_ context.Context, id envelope.ID, _ envelope.UserID, ticket string) (envelope.Opening, error) {
		if !tickets.Valid(id, ticket) {
			return envelope.Opening{}, envelope.ErrNotFound
		}
		return envelope.Opening{Outcome: envelope.Opened, Share: envelope.Share{Seq: 1, Amount: 1}}, nil
	}
}

// refuse makes a SET answer every open that needs its database with 503, or
// ends that.
func (d *daemon) refuse(on bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n, err := envelope.ParseSetNumber(r.PathValue("set"))
		c := d.counters.bySet[n]
		if err != nil || c == nil {
			http.Error(w, "no such SET; want three digits of one in the topology", http.StatusNotFound)
			return
		}
		c.shed.Drain(on)
		d.log.Info("operator", "set", n, "refusing", on)
		w.WriteHeader(http.StatusNoContent)
	}
}
