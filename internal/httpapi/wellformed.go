package httpapi

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"hongbao/internal/httpapi/intake"
)

// wellFormed holds a request to the rules that are the same for all paths, and
// tells its connection that a handler is at work.
//
// A connection that pipelines is closed after the answer. It would work off all
// it has sent, one request after the other, while every other connection waits
// for a processor.
func (a *API) wellFormed(c *gin.Context) error {
	r := c.Request
	if head, ok := intake.Begin(r); ok {
		if head.Pipelined(r.ContentLength) {
			c.Writer.Header()["Connection"] = closing
		}
		if err := framedOnce(r, head); err != nil {
			return err
		}
	}
	return plainPath(r.URL)
}

// framedOnce refuses a body whose length is said in two ways, or in one that the
// protocol's version does not have: a proxy in front may go by the other one.
func framedOnce(r *http.Request, head intake.Head) error {
	chunked := len(r.TransferEncoding) > 0
	switch {
	case head.TransferEncoding && (head.ContentLength || !chunked):
		return errFramedTwice
	case chunked && !head.TransferEncoding:
		return errPipelinedChunks
	}
	return nil
}

// plainPath refuses separators in percent-encoding, however often they were
// encoded, and dot segments: what decodes or resolves them before it routes, in
// front of us or behind, would see another path.
func plainPath(u *url.URL) error {
	decoded, escaped := u.Path, u.EscapedPath()
	if strings.IndexByte(escaped, '%') >= 0 {
		again := strings.ToLower(decoded)
		if strings.Count(decoded, "/") != strings.Count(escaped, "/") || strings.Contains(decoded, `\`) ||
			strings.Contains(again, "%2f") || strings.Contains(again, "%5c") {
			return errNoSuchPath
		}
	}
	if !strings.Contains(decoded, "/.") {
		return nil
	}
	for segment := range strings.SplitSeq(decoded, "/") {
		if segment == "." || segment == ".." {
			return errNoSuchPath
		}
	}
	return nil
}
