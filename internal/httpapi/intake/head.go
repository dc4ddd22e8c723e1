package intake

import "bytes"

// Head is which framing headers the head of a request has, read as its bytes
// arrive. net/http drops a Content-Length beside a Transfer-Encoding without a
// trace (RFC 9112 §6.1 allows that, and leaves a proxy in front that counts by the
// other one with half a request too many); this is how a handler sees both.
//
// Only a head that arrives after the answer to the request before it is seen. Of
// a pipelined one nothing is known, and TransferEncoding is false.
type Head struct {
	TransferEncoding, ContentLength bool

	started bool // a line with something in it has been seen
	ended   bool // the blank line has been seen
	behind  int  // bytes that came along behind it: a body, or the next request
	line    [len("transfer-encoding:")]byte
	lineLen int // bytes of the line so far; more than len(line) are not kept
}

// scan reads the next bytes, up to the end of the head.
func (h *Head) scan(b []byte) {
	for len(b) > 0 && !h.ended {
		end := bytes.IndexByte(b, '\n')
		part := b
		if end >= 0 {
			part = b[:end]
		}
		if h.lineLen < len(h.line) {
			copy(h.line[h.lineLen:], part)
		}
		h.lineLen += len(part)
		if end < 0 {
			return
		}
		h.endLine()
		b = b[end+1:]
	}
	h.behind += len(b)
}

// Pipelined reports that the request was sent before the answer to another one,
// or another one behind it.
func (h *Head) Pipelined(contentLength int64) bool {
	return !h.started || contentLength >= 0 && int64(h.behind) > contentLength
}

func (h *Head) endLine() {
	line := bytes.TrimSuffix(h.line[:min(h.lineLen, len(h.line))], []byte("\r"))
	h.lineLen = 0
	switch {
	case len(line) == 0:
		h.ended = h.started // net/http passes by a line end before a request
		return
	case hasFoldedPrefix(line, "transfer-encoding:"):
		h.TransferEncoding = true
	case hasFoldedPrefix(line, "content-length:"):
		h.ContentLength = true
	}
	h.started = true
}

func hasFoldedPrefix(line []byte, name string) bool {
	return len(line) >= len(name) && bytes.EqualFold(line[:len(name)], []byte(name))
}
