package httpapi

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
)

// refuseBody makes sure that a call without a body has none. A body of unknown
// length is asked for its first byte.
func refuseBody(r *http.Request) error {
	if r.ContentLength == 0 || r.Body == nil {
		return nil
	}
	if r.ContentLength > 0 {
		return errBodyNotAllowed
	}
	var first [1]byte
	switch n, err := io.ReadFull(r.Body, first[:]); {
	case n > 0:
		return errBodyNotAllowed
	case err != io.EOF:
		return unreadable(err)
	}
	r.Body = http.NoBody
	return nil
}

// readBody appends the whole body to buf: at most bytesMax bytes. Once it is
// read, the request has none, which refuse takes as: the connection is good.
func readBody(buf []byte, r *http.Request, bytesMax int) ([]byte, error) {
	if r.ContentLength > int64(bytesMax) {
		return buf, errBodyTooLarge
	}
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Body.Read(buf[len(buf):min(cap(buf), bytesMax+1)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > bytesMax:
			return buf, errBodyTooLarge
		case err == io.EOF:
			r.Body = http.NoBody
			return buf, nil
		case err != nil:
			return buf, unreadable(err)
		}
	}
}

func unreadable(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errBodyTimeout
	}
	return errBodyUnreadable
}

// wantJSON holds a request to one Content-Type, application/json in UTF-8.
func wantJSON(h http.Header) error {
	values := h["Content-Type"]
	if len(values) != 1 {
		return errMediaType
	}
	media, params, err := mime.ParseMediaType(values[0])
	if charset := params["charset"]; strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8") {
		delete(params, "charset")
	}
	if err != nil || media != "application/json" || len(params) > 0 {
		return errMediaType
	}
	return uncoded(h)
}

// uncoded refuses a body that is compressed, or coded otherwise.
func uncoded(h http.Header) error {
	for _, coding := range h["Content-Encoding"] {
		if !strings.EqualFold(strings.TrimSpace(coding), "identity") {
			return errContentCoding
		}
	}
	return nil
}
