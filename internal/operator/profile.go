package operator

import (
	"context"
	"fmt"
	"net/http"
	"net/http/pprof"
	"slices"

	"hongbao/envelope"
)

// ProfileSecondsMax bounds a profile: it costs the process for as long, and the
// listener answers within two minutes.
const ProfileSecondsMax = 60

// Seconds is how long a profile is taken over.
type Seconds int

// Validate implements the rule.
func (s Seconds) Validate() error {
	if s < 1 || s > ProfileSecondsMax {
		return fmt.Errorf("must be 1 to %d, is %d", ProfileSecondsMax, int(s))
	}
	return nil
}

// ProfileInput is what to take of the process.
type ProfileInput struct {
	Profile string  `path:"profile"`  // profile (CPU), trace, heap, goroutine, …
	Seconds Seconds `param:"seconds"` // default: 30 for profile, 1 for trace, at once for the others
	Debug   Level   `param:"debug"`   // 1 or 2: as text
	GC      Level   `param:"gc"`      // 1: after a collection
}

// Level is a number of a profile's.
type Level int

// Validate implements the rule.
func (l Level) Validate() error {
	if l < 0 || l > 2 {
		return fmt.Errorf("must be 0 to 2, is %d", int(l))
	}
	return nil
}

// profile is a profile of the process, as net/http/pprof takes it.
func (a *API) profile(_ context.Context, by Person, in ProfileInput) (http.Handler, error) {
	taken := map[string]http.HandlerFunc{"cmdline": pprof.Cmdline, "profile": pprof.Profile, "trace": pprof.Trace}[in.Profile]
	if named := []string{"allocs", "block", "goroutine", "heap", "mutex", "threadcreate"}; slices.Contains(named, in.Profile) {
		taken = pprof.Handler(in.Profile).ServeHTTP
	}
	if taken == nil {
		return nil, fmt.Errorf("no profile of this name; /debug/pprof/ lists them: %w", envelope.ErrNotFound)
	}
	a.cfg.Log.Info("operator", "profiles", in.Profile, "seconds", int(in.Seconds), "by", by)
	return taken, nil
}

// profiles lists them.
func (a *API) profiles(context.Context, Person, None) (http.Handler, error) {
	return http.HandlerFunc(pprof.Index), nil
}
