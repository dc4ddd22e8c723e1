package httpapi

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"hongbao/envelope"
)

// ask sends bytes over a connection of their own and reads the first answer.
func (r *running) ask(t *testing.T, method, wire string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", r.public)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, wire); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%.60q: %v", wire, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%.60q: %v", wire, err)
	}
	return res, string(body)
}

// FS28: a path is spelled in one way. None of the others reaches a call.
func TestPathsInOtherSpellingsAreNotFound(t *testing.T) {
	id := string(someID())
	teller := &stubTeller{outcome: envelope.Openable, opening: envelope.Opening{Outcome: envelope.Drained}}
	a, _ := newAPI(t, teller)
	for _, path := range []string{
		"/v1/envelopes/" + id + "%2Fopen", "/v1/envelopes/" + id + "%2fopen", "/v1/envelopes/" + id + "%252Fopen", "/v1/envelopes/" + id + "%5Copen",
		"/v1/envelopes/" + id + "%5copen", "/v1/envelopes/" + id + "/%6Fpen", "/v1/envelopes/" + id + "/ope%6e", "/v1/envelopes/" + id + "/open%2F",
		"/v1/envelopes/" + id + "/open/", "/v1/envelopes/" + id + "//open", "/v1/envelopes//" + id + "/open", "//v1/envelopes/" + id + "/open",
		"/v1/envelopes/x/../" + id + "/open", "/v1/envelopes/%2e%2e/envelopes/" + id + "/open", "/v1/envelopes/./" + id + "/open", "/v1/./envelopes",
		"/v1%2Fenvelopes", "/%2Fv1/envelopes", "/v1/envelopes%2F", "/v1/%65nvelopes", "/v1/envelopes%00", "/v1/envelopes%20", "/v1/envelopes;a=b",
		"/v1/envelopes/..", "/v1/envelopes/.", "/v1/envelopes/%2e%2e", "/V1/envelopes", "/v1/payment%2Fnotifications", "/v1/me%2Freceived", "/openapi%2Ejson",
	} {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			r := request(t, "POST", "/v1/envelopes", "")
			r.Method, r.Header = method, r.Header.Clone()
			u, err := url.ParseRequestURI(path) // as net/http does
			if err != nil {
				t.Fatal(err)
			}
			r.URL = u
			r.Header.Set("Envelope-Ticket", "T")
			res, body := do(t, a, r)
			if res.StatusCode != http.StatusNotFound || res.Header.Get("Allow") != "" || teller.calls > 0 {
				t.Errorf("%s %s: %d %s, %d calls; want 404", method, path, res.StatusCode, body, teller.calls)
				teller.calls = 0
			}
		}
	}
	// What only looks like an ID is one that does not exist.
	for _, spelled := range []string{"%30" + id[1:], id + "%20", id + "%00", "%E7%BA"} {
		if res, body := do(t, a, request(t, "POST", "/v1/envelopes/"+spelled+"/open", "", "Envelope-Ticket", "T")); res.StatusCode != 404 || !strings.Contains(body, `"not_found"`) {
			t.Errorf("%s: %d %s", spelled, res.StatusCode, body)
		}
	}
}

// FS28: what a body is, is said once and in ways that are understood.
func TestBodiesAreFramedAndCodedInOneWay(t *testing.T) {
	e := someEnvelope()
	a, _ := newAPI(t, &stubTeller{sent: envelope.Sent{Envelope: e}})
	r := start(t, a, nil)
	head := "POST /v1/envelopes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + tokenFor(t, "alice", "") + "\r\nIdempotency-Key: k\r\n"
	const chunk = "4a\r\n" // bytes of the body
	body := lucky + strings.Repeat(" ", 0x4a-len(lucky))
	chunks := chunk + body + "\r\n0\r\n\r\n"
	json := "Content-Type: application/json\r\n"
	for name, tt := range map[string]struct {
		headers, body string
		status        int
		says          string
	}{
		"a length":                  {json + "Content-Length: 74\r\n", body, 201, ""},
		"chunks":                    {json + "Transfer-Encoding: chunked\r\n", chunks, 201, ""},
		"chunks, then a length":     {json + "Transfer-Encoding: chunked\r\nContent-Length: 74\r\n", chunks, 400, "Transfer-Encoding"},
		"a length, then chunks":     {json + "Content-Length: 74\r\ntransfer-encoding: CHUNKED\r\n", chunks, 400, "Transfer-Encoding"},
		"chunks and another length": {json + "content-length: 5\r\nTransfer-Encoding: chunked\r\n", chunks, 400, "Transfer-Encoding"},
		"chunks and length 0":       {json + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", chunks, 400, "Transfer-Encoding"},
		"two lengths":               {json + "Content-Length: 74\r\nContent-Length: 75\r\n", body, 400, "malformed_request"},
		"gzip":                      {json + "Content-Encoding: gzip\r\nContent-Length: 74\r\n", body, 415, "Content-Encoding"},
		"deflate, in capitals":      {json + "content-encoding: DEFLATE\r\nContent-Length: 74\r\n", body, 415, "Content-Encoding"},
		"two codings":               {json + "Content-Encoding: identity, br\r\nContent-Length: 74\r\n", body, 415, "Content-Encoding"},
		"two lines of codings":      {json + "Content-Encoding: identity\r\nContent-Encoding: br\r\nContent-Length: 74\r\n", body, 415, "Content-Encoding"},
		"identity":                  {json + "Content-Encoding: Identity\r\nContent-Length: 74\r\n", body, 201, ""},
		"utf8":                      {"Content-Type: application/json; charset=utf8\r\nContent-Length: 74\r\n", body, 201, ""},
		"UTF8, quoted":              {"Content-Type: application/json;charset=\"UTF8\"\r\nContent-Length: 74\r\n", body, 201, ""},
		"latin1":                    {"Content-Type: application/json; charset=latin1\r\nContent-Length: 74\r\n", body, 415, "unsupported_media_type"},
		"form":                      {"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 74\r\n", body, 415, "unsupported_media_type"},
	} {
		res, answer := r.ask(t, "POST", head+tt.headers+"\r\n"+tt.body)
		if res.StatusCode != tt.status || !strings.Contains(answer, tt.says) {
			t.Errorf("%s: %d %s, want %d and %q", name, res.StatusCode, answer, tt.status, tt.says)
		}
		if tt.status == 400 && !res.Close {
			t.Errorf("%s: the connection stays", name)
		}
	}
	// Of HTTP/1.0, which has no chunks, they are the same.
	res, answer := r.ask(t, "POST", strings.Replace(head, "HTTP/1.1", "HTTP/1.0", 1)+json+"Transfer-Encoding: chunked\r\n\r\n"+chunks)
	if res.StatusCode != 400 || !strings.Contains(answer, "Transfer-Encoding") {
		t.Errorf("chunks in HTTP/1.0: %d %s", res.StatusCode, answer)
	}
	if _, answer := r.ask(t, "POST", "POST /v1/payment/notifications HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\npaid"); !strings.Contains(answer, "FAIL") {
		t.Errorf("a compressed notification: %s", answer)
	}
}

// A client that keeps its connection may use a length once and chunks the next
// time; one that pipelines is answered and has to come back.
func TestAConnectionServesOneRequestAtATime(t *testing.T) {
	a, _ := newAPI(t, &stubTeller{sent: envelope.Sent{Envelope: someEnvelope()}})
	r := start(t, a, nil)
	conn, err := net.Dial("tcp", r.public)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	send := func(headers, body string) *http.Response {
		t.Helper()
		wire := "POST /v1/envelopes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + tokenFor(t, "alice", "") +
			"\r\nIdempotency-Key: k\r\nContent-Type: application/json\r\n" + headers + "\r\n\r\n" + body
		for _, part := range []string{wire[:10], wire[10:100], wire[100:]} { // as it may arrive
			if _, err := io.WriteString(conn, part); err != nil {
				t.Fatal(err)
			}
		}
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		return res
	}
	for range 3 {
		for _, res := range []*http.Response{send("Content-Length: 58", lucky), send("Transfer-Encoding: chunked", "3a\r\n"+lucky+"\r\n0\r\n\r\n")} {
			if res.StatusCode != http.StatusCreated || res.Close {
				t.Errorf("%d, the connection ends: %v", res.StatusCode, res.Close)
			}
		}
	}
	const get = "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
	if _, err := io.WriteString(conn, get+get); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(answers, nil)
	if err != nil || res.StatusCode != http.StatusNotFound || !res.Close {
		t.Errorf("pipelined: %v %v, want an answer and the end", res, err)
	}
}

// FS28: HEAD is GET without the body.
func TestHeadAnswersWhereGetDoes(t *testing.T) {
	a, _ := newAPI(t, &stubTeller{details: envelope.Details{Envelope: someEnvelope()}})
	r := start(t, a, nil)
	for _, path := range []string{"/openapi.json", "/v1/envelopes/" + string(someID()), "/v1/me/sent?nonsense=1", "/nothing"} {
		head := " " + path + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + tokenFor(t, "alice", "") + "\r\n\r\n"
		got, body := r.ask(t, "GET", "GET"+head)
		res, none := r.ask(t, "HEAD", "HEAD"+head)
		if res.StatusCode != got.StatusCode || res.Header.Get("Content-Type") != got.Header.Get("Content-Type") || none != "" {
			t.Errorf("%s: HEAD %d %q, GET %d", path, res.StatusCode, none, got.StatusCode)
		}
		if res.ContentLength != int64(len(body)) && path != "/openapi.json" {
			t.Errorf("%s: HEAD says %d bytes, GET has %d", path, res.ContentLength, len(body))
		}
	}
	if res, _ := r.ask(t, "HEAD", "HEAD /v1/envelopes HTTP/1.1\r\nHost: x\r\n\r\n"); res.StatusCode != 405 || res.Header.Get("Allow") != "POST" {
		t.Errorf("HEAD of a path that is only posted to: %d, Allow %q", res.StatusCode, res.Header.Get("Allow"))
	}
}

// FS28: what net/http refuses by itself is a problem like any other.
func TestWhatIsNoRequestIsAProblemToo(t *testing.T) {
	a, _ := newAPI(t, &stubTeller{})
	r := start(t, a, nil)
	const host = "Host: x\r\n"
	for name, tt := range map[string]struct {
		wire   string
		status int
		code   string
	}{
		"no Host":            {"GET / HTTP/1.1\r\n\r\n", 400, "malformed_request"},
		"a space in a name":  {"GET / HTTP/1.1\r\n" + host + "X Y: z\r\n\r\n", 400, "malformed_request"},
		"no request":         {"\x16\x03\x01\r\n\r\n", 400, "malformed_request"},
		"a bad length":       {"POST / HTTP/1.1\r\n" + host + "Content-Length: x\r\n\r\n", 400, "malformed_request"},
		"an expectation":     {"GET / HTTP/1.1\r\n" + host + "Expect: miracles\r\n\r\n", 417, "expectation_failed"},
		"too many headers":   {"GET / HTTP/1.1\r\n" + host + "X: " + strings.Repeat("a", 20<<10) + "\r\n\r\n", 431, "headers_too_large"},
		"a coding":           {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip\r\n\r\n", 501, "transfer_coding_unsupported"},
		"chunked twice":      {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 501, "transfer_coding_unsupported"},
		"HTTP/2 without TLS": {"GET / HTTP/2.0\r\n" + host + "\r\n", 505, "http_version_unsupported"},
	} {
		res, body := r.ask(t, "GET", tt.wire)
		if code, _ := problemCode(t, body); res.StatusCode != tt.status || code != tt.code || res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s %s, want %d %s", name, res.StatusCode, res.Header.Get("Content-Type"), body, tt.status, tt.code)
		}
		if !res.Close {
			t.Errorf("%s: the connection stays", name)
		}
		if err := loadSpec(t).Schema("Problem", []byte(body)); err != nil {
			t.Error(err)
		}
	}
}
