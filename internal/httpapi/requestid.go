package httpapi

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
)

const (
	requestIDBytesMax = 64
	traceparentBytes  = 55 // of version 00: 00-(32 hex)-(16 hex)-(2 hex)
	traceIDBytes      = 32
)

// requestID names a request in its answer and in the log: as its sender does
// in X-Request-Id, else by the trace that traceparent says it belongs to, else by a
// number of ours. What is not in one of these forms is not repeated anywhere. It is
// a name to look for and proves nothing.
func requestID(h http.Header) string {
	if v := h["X-Request-Id"]; len(v) == 1 && isRequestID(v[0]) {
		return v[0]
	}
	if v := h["Traceparent"]; len(v) == 1 {
		if id, ok := traceID(v[0]); ok {
			return id
		}
	}
	return fmt.Sprintf("%016x", rand.Uint64())
}

func isRequestID(s string) bool {
	for i := range len(s) {
		b := s[i]
		if !(b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b == '_' || b == '-' || b == '.') {
			return false
		}
	}
	return s != "" && len(s) <= requestIDBytesMax
}

// traceID takes the trace-id out of a W3C traceparent. Later versions may go on
// after what version 00 has.
func traceID(s string) (string, bool) {
	if len(s) < traceparentBytes || len(s) > traceparentBytes && (s[:2] == "00" || s[traceparentBytes] != '-') {
		return "", false
	}
	version, id, parent, flags := s[:2], s[3:3+traceIDBytes], s[36:52], s[53:55]
	if s[2] != '-' || s[35] != '-' || s[52] != '-' || version == "ff" {
		return "", false
	}
	for _, part := range []string{version, id, parent, flags} {
		if !isLowerHex(part) {
			return "", false
		}
	}
	return id, strings.Trim(id, "0") != "" && strings.Trim(parent, "0") != ""
}

func isLowerHex(s string) bool {
	for i := range len(s) {
		if b := s[i]; !(b >= '0' && b <= '9' || b >= 'a' && b <= 'f') {
			return false
		}
	}
	return true
}
