package httpapi

import (
	"net/http"
	"strings"
	"testing"
)

// TestARequestIsNamedAsItsSenderDoes is FS33: by one of two headers, in their forms
// only, else by a number of ours.
func TestARequestIsNamedAsItsSenderDoes(t *testing.T) {
	const trace, other = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	parent := "00-" + trace + "-" + other + "-01"
	for name, c := range map[string]struct {
		id, parent []string
		want       string // "" is a number of ours
	}{
		"none":                     {nil, nil, ""},
		"a request id":             {[]string{"web-1.7_Z"}, nil, "web-1.7_Z"},
		"both":                     {[]string{"a"}, []string{parent}, "a"},
		"two request ids":          {[]string{"a", "b"}, nil, ""},
		"one of 64 bytes":          {[]string{strings.Repeat("x", 64)}, nil, strings.Repeat("x", 64)},
		"one of 65 bytes":          {[]string{strings.Repeat("x", 65)}, nil, ""},
		"an empty one":             {[]string{""}, nil, ""},
		"one with a line end":      {[]string{"a\nb"}, nil, ""},
		"one with a quote":         {[]string{`a"b`}, []string{parent}, trace},
		"a trace":                  {nil, []string{parent}, trace},
		"a trace in capitals":      {nil, []string{strings.ToUpper(parent)}, ""},
		"a trace of zeros":         {nil, []string{"00-" + strings.Repeat("0", 32) + "-" + other + "-01"}, ""},
		"a parent of zeros":        {nil, []string{"00-" + trace + "-" + strings.Repeat("0", 16) + "-01"}, ""},
		"a trace that is cut":      {nil, []string{parent[:54]}, ""},
		"more than version 00 has": {nil, []string{parent + "-x"}, ""},
		"a later version":          {nil, []string{"cc" + parent[2:] + "-x"}, trace},
		"version ff":               {nil, []string{"ff" + parent[2:]}, ""},
	} {
		got := requestID(http.Header{"X-Request-Id": c.id, "Traceparent": c.parent})
		if ours := len(got) == 16 && isLowerHex(got); c.want == "" && !ours || c.want != "" && got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
