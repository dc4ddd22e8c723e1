package wire

import (
	"bytes"
	"errors"
)

// answer is what one response said.
type Answer struct {
	Status     int
	RetryAfter int // seconds; -1 without the header
	Body       []byte
	closes     bool // the server closes the connection after it
}

// What makes a response unreadable. None of it is refused by a correct server,
// so all of it ends the connection.
var (
	errNotHTTP      = errors.New("not a response of HTTP/1.1")
	errStatus       = errors.New("the status is not three digits from 200 to 599")
	errHeadTooLong  = errors.New("the head is too long")
	errHeader       = errors.New("a header line cannot be read")
	errLength       = errors.New("want exactly one Content-Length")
	errBodyTooLong  = errors.New("the body is too long")
	errEncoded      = errors.New("the body has a transfer encoding")
	errMoreThanOne  = errors.New("bytes follow the answer to the only request")
	errRetryAfter   = errors.New("Retry-After is not a number of seconds")
	protocol        = []byte("HTTP/1.1 ")
	contentLength   = []byte("content-length")
	retryAfter      = []byte("retry-after")
	connection      = []byte("connection")
	transferCoding  = []byte("transfer-encoding")
	connectionClose = []byte("close")
)

// parseAnswer reads a response from the bytes received so far. Until it is
// whole it returns false and no error. It takes less than HTTP allows (a
// Content-Length, no interim responses, no folded headers) and nothing more.
func parseAnswer(b []byte) (a Answer, whole bool, err error) {
	const statusLine = len("HTTP/1.1 200 \r\n")
	if n := min(len(b), len(protocol)); !bytes.Equal(b[:n], protocol[:n]) {
		return a, false, errNotHTTP
	}
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > answerHeadMax {
			return a, false, errHeadTooLong
		}
		return a, false, nil
	}
	if end < statusLine-len("\r\n") {
		return a, false, errStatus
	}
	if a.Status, err = parseStatus(b[len(protocol):]); err != nil {
		return a, false, err
	}
	line := bytes.IndexByte(b, '\n')
	length, err := a.parseHeaders(b[line+1 : end+2])
	if err != nil {
		return a, false, err
	}
	switch body := b[end+4:]; {
	case length > answerBodyMax:
		return a, false, errBodyTooLong
	case len(body) > length:
		return a, false, errMoreThanOne
	case len(body) == length:
		a.Body = body
		return a, true, nil
	}
	return a, false, nil
}

func parseStatus(b []byte) (int, error) {
	status, ok := parseNumber(b[:3])
	if !ok || status < 200 || status > 599 || b[3] != ' ' {
		return 0, errStatus
	}
	return status, nil
}

// parseHeaders reads lines that end in CR LF and returns the length of the body.
func (a *Answer) parseHeaders(b []byte) (length int, err error) {
	a.RetryAfter, length = -1, -1
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n')
		if end < 1 || b[end-1] != '\r' {
			return 0, errHeader
		}
		line := b[:end-1]
		b = b[end+1:]
		colon := bytes.IndexByte(line, ':')
		if colon < 1 || line[0] == ' ' || line[0] == '\t' || line[colon-1] == ' ' {
			return 0, errHeader
		}
		name, value := line[:colon], bytes.Trim(line[colon+1:], " \t")
		switch {
		case bytes.EqualFold(name, contentLength):
			n, ok := parseNumber(value)
			if !ok || length >= 0 {
				return 0, errLength
			}
			length = n
		case bytes.EqualFold(name, retryAfter):
			n, ok := parseNumber(value)
			if !ok {
				return 0, errRetryAfter
			}
			a.RetryAfter = n
		case bytes.EqualFold(name, transferCoding):
			return 0, errEncoded
		case bytes.EqualFold(name, connection) && bytes.EqualFold(value, connectionClose):
			a.closes = true
		}
	}
	if length < 0 {
		if a.Status == 204 || a.Status == 304 {
			return 0, nil
		}
		return 0, errLength
	}
	return length, nil
}

// parseNumber reads one to nine digits and nothing else.
func parseNumber(b []byte) (n int, ok bool) {
	if len(b) < 1 || len(b) > 9 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}
