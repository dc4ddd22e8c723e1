package operator

import (
	"net"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"strings"

	"hongbao/internal/httpapi"
)

// ServeHTTP implements http.Handler. What is refused here is refused before a
// parameter is read.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := a.admitted(r); err != nil {
		a.problems.Refuse(w, r, err)
		return
	}
	if r.URL.RawPath != "" || !isClean(r.URL.Path) { // no path here needs an escape
		a.problems.Refuse(w, r, httpapi.ErrNoSuchPath)
		return
	}
	answers, pattern := a.mux.Handler(r)
	if pattern != "" {
		a.mux.ServeHTTP(w, r)
		return
	}
	unanswered := &verdict{header: http.Header{}}
	answers.ServeHTTP(unanswered, r)
	if unanswered.status == http.StatusMethodNotAllowed {
		w.Header()["Allow"] = unanswered.header["Allow"]
		a.problems.Refuse(w, r, httpapi.ErrMethodNotAllowed)
		return
	}
	a.problems.Refuse(w, r, httpapi.ErrNoSuchPath)
}

// isClean reports whether the router takes a path as it is, without a redirect.
func isClean(p string) bool {
	clean := path.Clean(p)
	return clean == p || clean+"/" == p
}

// admitted refuses what a browser was made to ask: by a name that was pointed at
// this listener, or from a page of another origin.
func (a *API) admitted(r *http.Request) error {
	if !a.hostAllowed(r) {
		return httpapi.ErrHostNotAllowed
	}
	if a.origin.Check(r) != nil {
		return httpapi.ErrCrossOrigin
	}
	return nil
}

// hostAllowed: loopback names, the address that was reached, and what the
// settings list. A web page can have a name of its own resolve to us, but then the
// name is what the Host header says; it cannot do so with our address.
func (a *API) hostAllowed(r *http.Request) bool {
	host := hostName(r.Host)
	if slices.Contains(a.hosts, host) {
		return true
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	if addr = addr.Unmap(); addr.IsLoopback() {
		return true
	}
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	reached, err := netip.ParseAddrPort(addrString(local))
	return err == nil && reached.Addr().Unmap().WithZone("") == addr
}

func addrString(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}

// hostName is the host of host:port, as names compare.
func hostName(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// allowed are the names that are allowed whichever address was reached.
func allowed(listen string, more []string) []string {
	hosts := []string{"localhost"}
	for _, h := range append([]string{listen}, more...) {
		if name := hostName(h); name != "" {
			hosts = append(hosts, name)
		}
	}
	return hosts
}

// verdict takes what net/http's router would answer by itself.
type verdict struct {
	header http.Header
	status int
}

func (v *verdict) Header() http.Header { return v.header }
func (v *verdict) WriteHeader(status int) {
	if v.status == 0 {
		v.status = status
	}
}
func (v *verdict) Write(b []byte) (int, error) { return len(b), nil }
