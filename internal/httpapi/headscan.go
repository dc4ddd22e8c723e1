package httpapi

import "bytes"

// headScan reads which framing headers the head of a request has, as its bytes
// arrive. net/http drops a Content-Length beside a Transfer-Encoding without a
// word (RFC 9112 §6.1 allows that, and leaves a proxy in front that counts by the
// other one with half a request too many); this is how the API sees both.
//
// Only a head that arrives after the answer to the request before it is seen. Of
// a pipelined one it knows nothing, and says so by transferEncoding being false.
type headScan struct {
	transferEncoding, contentLength bool

	started bool // a line with something in it has been seen
	ended   bool // the blank line has been seen
	behind  int  // bytes that came along behind it: a body, or the next request
	line    [len("transfer-encoding:")]byte
	lineLen int // bytes of the line so far; more than len(line) are not kept
}

// scan reads the next bytes, up to the end of the head.
func (s *headScan) scan(b []byte) {
	for len(b) > 0 && !s.ended {
		end := bytes.IndexByte(b, '\n')
		part := b
		if end >= 0 {
			part = b[:end]
		}
		if s.lineLen < len(s.line) {
			copy(s.line[s.lineLen:], part)
		}
		s.lineLen += len(part)
		if end < 0 {
			return
		}
		s.endLine()
		b = b[end+1:]
	}
	s.behind += len(b)
}

// pipelined reports that the request was sent before the answer to another one,
// or another one behind it.
func (s *headScan) pipelined(contentLength int64) bool {
	return !s.started || contentLength >= 0 && int64(s.behind) > contentLength
}

func (s *headScan) endLine() {
	line := bytes.TrimSuffix(s.line[:min(s.lineLen, len(s.line))], []byte("\r"))
	s.lineLen = 0
	switch {
	case len(line) == 0:
		s.ended = s.started // net/http passes by a line end before a request
		return
	case hasFoldedPrefix(line, "transfer-encoding:"):
		s.transferEncoding = true
	case hasFoldedPrefix(line, "content-length:"):
		s.contentLength = true
	}
	s.started = true
}

func hasFoldedPrefix(line []byte, name string) bool {
	return len(line) >= len(name) && bytes.EqualFold(line[:len(name)], []byte(name))
}
