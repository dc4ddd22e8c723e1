package receiver

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"

	"hongbao/envelope"
	"hongbao/internal/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// backend is a running receiver and the secret it shares with the sender.
type backend struct {
	t      testing.TB
	secret webhook.Secret
	url    string
	client *http.Client
}

func newBackend(t testing.TB, show int) *backend {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := webhook.MakeSecret(file); err != nil {
		t.Fatal(err)
	}
	secret, err := webhook.LoadSecret(file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(Config{Secret: string(secret), Show: show, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx, ln) }()
	b := &backend{t: t, secret: secret, url: "http://" + ln.Addr().String(), client: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(func() {
		b.client.CloseIdleConnections()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *backend) get(path string) (http.Header, string) {
	b.t.Helper()
	res, err := b.client.Get(b.url + path)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 {
		b.t.Fatalf("GET %s: %d, %v", path, res.StatusCode, err)
	}
	return res.Header, string(body)
}

// sign makes r an event of that time.
func (b *backend) sign(r *http.Request, id, body string, at time.Time) {
	b.t.Helper()
	hook, err := standardwebhooks.NewWebhook(string(b.secret))
	if err != nil {
		b.t.Fatal(err)
	}
	signature, err := hook.Sign(id, at, []byte(body))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("webhook-id", id)
	r.Header.Set("webhook-timestamp", fmt.Sprint(at.Unix()))
	r.Header.Set("webhook-signature", signature)
}

// post sends body signed, and then changed.
func (b *backend) post(id, body string, change func(*http.Request)) int {
	b.t.Helper()
	req, err := http.NewRequest("POST", b.url+"/events", strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	b.sign(req, id, body, time.Now())
	if change != nil {
		change(req)
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	res.Body.Close()
	return res.StatusCode
}

type listing struct {
	Received, Repeats, Refused, Disordered int

	Events []struct {
		ID    string
		Times int
		Event struct{ Type string }
	}
}

func (b *backend) list() listing {
	b.t.Helper()
	_, body := b.get("/events")
	var l listing
	if err := json.Unmarshal([]byte(body), &l); err != nil {
		b.t.Fatal(err)
	}
	return l
}

// tellLife has the sender tell all of one envelope's life.
func (b *backend) tellLife() {
	b.t.Helper()
	sender := b.sender()
	s := &envelope.Statement{Refund: envelope.Refund{Amount: 305, PostedAt: time.Now()}}
	s.Envelope = envelope.Envelope{
		ID: envelope.Body(1<<40 + 7).In(3), Kind: envelope.Lucky, State: envelope.Expired, Sender: "ann", Group: "g-1",
		Greeting: `<script>alert("1")</script>`, Total: 1205, Count: 9, Opened: 900, OpenedCount: 7, Refunded: 305,
		PaidAt: time.Now(), ExpiresAt: time.Now(), FinishedAt: time.Now(),
	}
	for seq := 1; seq <= 7; seq++ {
		s.Shares = append(s.Shares, envelope.Share{Seq: seq, User: envelope.UserID(fmt.Sprintf("user-%d", seq)), Amount: envelope.Fen(100 + seq), OpenedAt: time.Now()})
	}
	facts, _ := envelope.Owed(s, envelope.Cursor{})
	for _, f := range facts {
		if err := sender.Notify(context.Background(), f); err != nil {
			b.t.Fatal(err)
		}
	}
}

func TestALifeIsListedNewestFirst(t *testing.T) {
	b := newBackend(t, 0)
	if _, body := b.get("/"); !strings.Contains(body, "还没有事件") {
		t.Errorf("nothing yet: %s", body)
	}
	b.tellLife()
	l := b.list()
	var types []string
	for _, e := range l.Events {
		types = append(types, e.Event.Type)
	}
	if got := strings.Join(types, " "); got != "envelope.refunded envelope.finished share.opened envelope.active" || l.Received != 4 || l.Refused != 0 {
		t.Errorf("%s, %+v", got, l)
	}
}

func TestPageReadsForPeople(t *testing.T) {
	b := newBackend(t, 0)
	b.tellLife()
	header, body := b.get("/")
	for _, want := range []string{
		"<b>ann</b> 发了红包", "¥12.05 / 9", "<b>user-1</b> 拆得", "¥1.05", "还有 2 人", "7 / 9", "红包已过期", "¥9.00", "手气最佳", "<b>user-7</b> ¥1.07",
		"退回", "¥3.05", `http-equiv="refresh"`, `href="/?still=1"`, `lang="zh-CN"`, `name="viewport"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not say %s: %s", want, body)
		}
	}
	if strings.Contains(body, "<script") || regexp.MustCompile(`(?:src|action)=`).MatchString(body) {
		t.Errorf("the page runs or loads something: %s", body)
	}
	if policy := header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") {
		t.Errorf("policy %q", policy)
	}
	if _, still := b.get("/?still"); strings.Contains(still, "http-equiv") || !strings.Contains(still, `href="/?"`) {
		t.Errorf("the page that stands still: %s", still)
	}
}

// TestPageKeepsItsSelectionAndZone holds FS35: the page comes again by itself,
// at the address that says what is open.
func TestPageKeepsItsSelectionAndZone(t *testing.T) {
	b := newBackend(t, 0)
	for _, id := range []string{"e&1", "e2"} {
		if got := b.post(id, `{"type":"a","data":{"greeting":"`+id+`"}}`, nil); got != 204 {
			t.Fatal(got)
		}
	}
	turn := regexp.MustCompile(`href="([^"#]*)#[^"]*" aria-expanded="(true|false)"`)
	_, body := b.get("/")
	all := turn.FindAllStringSubmatch(body, -1)
	if len(all) != 2 || all[0][2] != "false" || all[1][2] != "false" || strings.Contains(body, "<pre") || !strings.Contains(body, "▸") {
		t.Fatalf("both are closed, each with a way to open it: %s", body)
	}
	address := html.UnescapeString(all[1][1]) // of the older one
	for range 2 {
		_, body = b.get(address)
		if strings.Count(body, "<pre") != 1 || !strings.Contains(body, "▾") || !strings.Contains(body, `http-equiv="refresh"`) {
			t.Errorf("one is open and the page comes again: %s", body)
		}
		if got := b.post("later", `{"type":"a"}`, nil); got != 204 { // and is still open with news above it
			t.Fatal(got)
		}
	}
	both := html.UnescapeString(turn.FindAllStringSubmatch(body, -1)[0][1])
	if _, body := b.get(both); strings.Count(body, "<pre") != 2 {
		t.Errorf("a second one is opened beside the first: %s", body)
	}
	if _, body := b.get(address + "&still=1"); strings.Count(body, "<pre") != 1 || strings.Contains(body, "http-equiv") {
		t.Errorf("the page stands still with one open: %s", body)
	}
	if _, body := b.get("/?open=" + strings.Repeat("x", 500) + strings.Repeat("&open=x", 500)); strings.Contains(body, "open=x") {
		t.Errorf("what is not shown is not carried on: %s", body)
	}
	if body = html.UnescapeString(body); !strings.Contains(body, "UTC+08:00") || !strings.Contains(body, `+08:00">`) {
		t.Errorf("the times have no zone: %s", body)
	}
}

func TestOnlyWhatVerifiesIsKept(t *testing.T) {
	b := newBackend(t, 0)
	const body = `{"type":"envelope.active","data":{}}`
	for name, row := range map[string]struct {
		body   string
		want   int
		change func(*http.Request)
	}{
		"unsigned":   {body, 400, func(r *http.Request) { r.Header.Del("webhook-signature") }},
		"another id": {body, 400, func(r *http.Request) { r.Header.Set("webhook-id", "other") }},
		"old":        {body, 400, func(r *http.Request) { b.sign(r, "old", body, time.Now().Add(-6*time.Minute)) }},
		"another body": {body, 400, func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(strings.Replace(body, "active", "closed", 1)))
		}},
		"no JSON":        {"hello", 400, nil},
		"too long":       {`{"a":"` + strings.Repeat("x", bodyBytesMax) + `"}`, 413, nil},
		"the real thing": {body, 204, nil},
	} {
		if got := b.post(name, row.body, row.change); got != row.want {
			t.Errorf("%s: %d, want %d", name, got, row.want)
		}
	}
	if l := b.list(); l.Received != 1 || l.Refused != 6 || len(l.Events) != 1 || l.Events[0].ID != "the real thing" {
		t.Errorf("%+v", l)
	}
}

func TestRepeatIsListedOnce(t *testing.T) {
	b := newBackend(t, 0)
	for range 3 {
		if got := b.post("one", `{"type":"something.else"}`, nil); got != 204 {
			t.Fatal(got)
		}
	}
	if l := b.list(); l.Received != 1 || l.Repeats != 2 || len(l.Events) != 1 || l.Events[0].Times != 3 {
		t.Errorf("%+v", l)
	}
	if _, body := b.get("/"); !strings.Contains(body, "×3") || !strings.Contains(body, "something.else") {
		t.Errorf("the page: %s", body)
	}
}

func TestOnlyTheLastEventsAreKept(t *testing.T) {
	b := newBackend(t, 3)
	for i := range keptMax + 5 {
		if got := b.post(fmt.Sprintf("e%03d", i), `{"type":"a"}`, nil); got != 204 {
			t.Fatal(got)
		}
	}
	l := b.list()
	if len(l.Events) != keptMax || l.Events[0].ID != "e204" || l.Events[keptMax-1].ID != "e005" || l.Received != keptMax+5 {
		t.Errorf("%d events, %d received", len(l.Events), l.Received)
	}
	if _, body := b.get("/"); strings.Count(body, "<li ") != 3 {
		t.Errorf("%d events on the page, want 3", strings.Count(body, "<li "))
	}
}

func TestNewRefusesNonsense(t *testing.T) {
	good := Config{Secret: "whsec_aGVsbG8sIHRoaXMgaXMgYSBzYW1wbGUgc2VjcmV0IQ==", Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
	for field, change := range map[string]func(*Config){
		"Secret": func(c *Config) { c.Secret = "" }, "Show": func(c *Config) { c.Show = keptMax + 1 },
		"Now": func(c *Config) { c.Now = nil }, "Log": func(c *Config) { c.Log = nil },
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if printed := fmt.Sprintf("%+v %#v", good, good); strings.Contains(printed, "whsec_") {
		t.Error(printed)
	}
}
