package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestAnswersAreReadAsHTTPSaysThem(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for name, c := range map[string]struct {
		bytes string
		want  Answer
		whole bool
		err   error
	}{
		"an open":               {ok + "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", Answer{200, -1, []byte("{}"), false}, true, nil},
		"no body":               {ok + "Content-Length: 0\r\n\r\n", Answer{200, -1, []byte{}, false}, true, nil},
		"no content":            {"HTTP/1.1 204 No Content\r\n\r\n", Answer{204, -1, []byte{}, false}, true, nil},
		"no reason":             {"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", Answer{200, -1, []byte{}, false}, true, nil},
		"busy":                  {"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 1\r\n\r\nx", Answer{503, 2, []byte("x"), false}, true, nil},
		"any case":              {ok + "RETRY-after:7\r\ncONTENT-lENGTH:\t 1 \r\nConnection: Close\r\n\r\nx", Answer{200, 7, []byte("x"), true}, true, nil},
		"nothing yet":           {"", Answer{}, false, nil},
		"a piece of the status": {"HTTP/1.1 2", Answer{}, false, nil},
		"half a head":           {ok + "Content-Le", Answer{}, false, nil},
		"half a body":           {ok + "Content-Length: 5\r\n\r\nabc", Answer{}, false, nil},
		"not HTTP":              {"SSH-2.0-OpenSSH", Answer{}, false, errNotHTTP},
		"HTTP/1.0":              {"HTTP/1.0 200 OK\r\n\r\n", Answer{}, false, errNotHTTP},
		"no status":             {"HTTP/1.1 \r\n\r\n", Answer{}, false, errStatus},
		"an interim response":   {"HTTP/1.1 100 Continue\r\n\r\n", Answer{}, false, errStatus},
		"four digits":           {"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n", Answer{}, false, errStatus},
		"no length":             {ok + "Content-Type: a\r\n\r\n", Answer{}, false, errLength},
		"two lengths":           {ok + "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", Answer{}, false, errLength},
		"a signed length":       {ok + "Content-Length: +1\r\n\r\nx", Answer{}, false, errLength},
		"chunks":                {ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Answer{}, false, errEncoded},
		"a folded header":       {ok + "A: b\r\n c\r\nContent-Length: 0\r\n\r\n", Answer{}, false, errHeader},
		"a header without name": {ok + ": b\r\nContent-Length: 0\r\n\r\n", Answer{}, false, errHeader},
		"a space before colon":  {ok + "Content-Length : 0\r\n\r\n", Answer{}, false, errHeader},
		"a bare line feed":      {ok + "A: b\nContent-Length: 0\r\n\r\n", Answer{}, false, errHeader},
		"a date to retry after": {ok + "Retry-After: Mon\r\nContent-Length: 0\r\n\r\n", Answer{}, false, errRetryAfter},
		"a second answer":       {ok + "Content-Length: 0\r\n\r\nHTTP/1.1 200", Answer{}, false, errMoreThanOne},
		"an endless head":       {ok + strings.Repeat("A: b\r\n", answerHeadMax), Answer{}, false, errHeadTooLong},
		"an endless body":       {ok + "Content-Length: 999999999\r\n\r\n", Answer{}, false, errBodyTooLong},
	} {
		got, whole, err := parseAnswer([]byte(c.bytes))
		if !errors.Is(err, c.err) || whole != c.whole {
			t.Errorf("%s: whole %v, error %v; want %v, %v", name, whole, err, c.whole, c.err)
			continue
		}
		if whole && (got.Status != c.want.Status || got.RetryAfter != c.want.RetryAfter || got.closes != c.want.closes || !bytes.Equal(got.Body, c.want.Body)) {
			t.Errorf("%s: read as %+v, want %+v", name, got, c.want)
		}
	}
}

// What we accept, net/http accepts too, and reads the same.
func FuzzParseAnswerAgreesWithNetHTTP(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 503 x\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 1\r\n\r\nx",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, whole, err := parseAnswer(b)
		if err != nil || !whole {
			if whole {
				t.Fatal("whole, with an error")
			}
			return
		}
		for n := range min(len(b), answerUsual) { // a part of it is never whole and never wrong
			if _, early, err := parseAnswer(b[:n]); early || err != nil {
				t.Fatalf("the first %d of %d bytes: whole %v, error %v", n, len(b), early, err)
			}
		}
		want, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), nil)
		if err != nil {
			return // stricter about what header lines may hold, which no server of ours writes
		}
		defer want.Body.Close()
		body, err := io.ReadAll(want.Body)
		if err != nil || got.Status != want.StatusCode || got.Status != 304 && got.Status != 204 && !bytes.Equal(got.Body, body) {
			t.Fatalf("read as %+v, net/http reads %d %q (%v)", got, want.StatusCode, body, err)
		}
	})
}
