package operator

import (
	"context"
	"net/http"
	"strings"
	"time"

	"hongbao/internal/httpapi"
)

const (
	// readyMax is what the readiness check may take.
	readyMax = time.Second
	// mintGrace is how long after the start a process is not ready for want of a
	// machine number. After that it serves the envelopes that are there.
	mintGrace = 10 * time.Second
)

// Readiness is what /readyz answers: 200 when this process should be sent
// requests, else 503 with the same members in a problem. A process that cannot
// mint is sent requests all the same, once it has been able to or mintGrace is
// over: what is paid can be opened.
type Readiness struct {
	Ready    bool       `json:"ready"`
	Draining bool       `json:"draining,omitempty"` // it is about to stop
	Serve    Ability    `json:"serve"`              // open, show and take payments for envelopes that are there
	Mint     Ability    `json:"mint"`               // new envelopes
	Sets     []ReadySet `json:"sets"`
}

// Ability is whether something can be done, and why not.
type Ability struct {
	OK  bool   `json:"ok"`
	Why string `json:"why,omitempty"`
}

// ReadySet is one SET as this process reaches it.
type ReadySet struct {
	SetState
	Refusing string `json:"refusing,omitempty"` // why it refuses opens that need its database
}

// readyz is not a call: it answers 503 with all that it knows.
func (a *API) readyz(w http.ResponseWriter, r *http.Request) {
	if err := decode(r, &None{}); err != nil {
		a.problems.Refuse(w, r, err)
		return
	}
	ready := a.readiness(r.Context())
	if !ready.Ready {
		a.problems.RefuseWith(w, r, httpapi.NotReady(ready.why()), ready)
		return
	}
	answer(w, r, ready)
}

func (a *API) readiness(ctx context.Context) Readiness {
	ctx, cancel := context.WithTimeout(ctx, readyMax)
	defer cancel()
	ready := Readiness{Draining: a.cfg.Draining(), Mint: Ability{OK: true}}
	ready.Sets = each(ctx, a, func(ctx context.Context, set Set) ReadySet {
		one := ReadySet{SetState{Set: set.Number().String()}, set.Refusing()}
		one.fail(a, set.Ping(ctx))
		return one
	})
	ready.Serve = servable(ready.Sets)
	if err := a.cfg.Mint(); err != nil {
		ready.Mint = Ability{Why: "cannot mint: " + err.Error()}
	} else {
		a.minted.Store(true)
	}
	settled := a.minted.Load() || time.Since(a.started) > mintGrace
	ready.Ready = !ready.Draining && ready.Serve.OK && settled
	return ready
}

// servable: one SET that answers is enough; of the others the answer says which
// they are. One that refuses opens still takes sends and payments, and a process
// that refuses under load must not lose its load to the others.
func servable(sets []ReadySet) Ability {
	var why []string
	for _, set := range sets {
		if set.Error == "" {
			return Ability{OK: true}
		}
		why = append(why, set.Error)
	}
	return Ability{Why: "cannot serve: " + strings.Join(why, "; ")}
}

// why a process is not ready, in a sentence.
func (r *Readiness) why() string {
	switch {
	case r.Draining:
		return "draining: this process is about to stop"
	case !r.Serve.OK:
		return r.Serve.Why
	}
	return r.Mint.Why
}
