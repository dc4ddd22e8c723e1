package settest

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/cluster"
	"hongbao/internal/contract"
	"hongbao/internal/httpapi"
	"hongbao/internal/httpapi/bearer"
	"hongbao/orderset/audit"
)

const (
	playgroundMax = 90 * time.Second
	pollEvery     = 50 * time.Millisecond
	tokenLife     = time.Hour
)

// Live is a whole playground of the real programs, found through its
// playground.json alone, as a stranger's script would.
type Live struct {
	API              string
	Operator         string
	PaymentSimulator string
	Events           string // the receiver that stands in for the IM backend
	Dir              string
	Bin              string    // where hongbaod and hongbaoctl are
	Audit            []*sql.DB // one a SET, SELECT only
	Spoiled          bool      // set by a test that plants damage: its books need not balance

	Flags    []string // of playground up, beside its ports
	ports    []int    // the same at every Up
	up       *cluster.Process
	auditors []*audit.Auditor
	tokenKey bearer.Key

	booksDSNs []string // of users' books, SELECT only
	document  *contract.Document
}

// file is playground.json, as far as a test needs it.
type file struct {
	API              string `json:"api"`
	Operator         string `json:"operator"`
	PaymentSimulator string `json:"payment_simulator"`
	TokenKeyFile     string `json:"token_key_file"`
	TokenKeyID       string `json:"token_kid"`
	Sets             []struct {
		Nodes []struct {
			PID      int    `json:"pid"`
			AuditDSN string `json:"audit_dsn"`
		} `json:"nodes"`
	} `json:"sets"`
	Books []struct {
		AuditDSN string `json:"audit_dsn"`
	} `json:"books"`
	Events    string `json:"events"`
	Processes []struct {
		Name string `json:"name"`
		PID  int    `json:"pid"`
	} `json:"processes"`
}

// Playground builds the programs, starts a playground on free ports, with these
// flags beside, and stops it when the test ends, after an audit of its books.
func Playground(t testing.TB, flags ...string) *Live {
	t.Helper()
	p := &Live{Dir: filepath.Join(t.TempDir(), "play"), Bin: Programs(t), Flags: flags}
	var err error
	if p.document, err = contract.Load(httpapi.OpenAPI()); err != nil {
		t.Fatal(err)
	}
	p.Up(t)
	t.Cleanup(func() { p.Down(t) })
	t.Cleanup(func() {
		if !p.Spoiled {
			p.CheckBooks(t)
		}
	})
	return p
}

// Programs builds hongbaod and hongbaoctl and returns their directory.
func Programs(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-tags", "nomsgpack", "-o", dir, "hongbao/cmd/hongbaod", "hongbao/cmd/hongbaoctl")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return dir
}

// Up starts the playground, or again after Down.
func (p *Live) Up(t testing.TB) {
	t.Helper()
	names := []string{"api", "operator", "simulator", "memcached", "events", "books", "database"}
	var err error
	if p.ports == nil {
		if p.ports, err = cluster.FreePorts(len(names)); err != nil {
			t.Fatal(err)
		}
	}
	args := append([]string{"playground", "up", "--no-tour", "--dir", p.Dir}, p.Flags...)
	for i, name := range names {
		args = append(args, "--"+name+"-port", strconv.Itoa(p.ports[i]))
	}
	p.up, err = cluster.Start(cluster.Command{Name: "playground", Path: filepath.Join(p.Bin, "hongbaoctl"), Args: args, LogFile: p.Dir + ".log"})
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(playgroundMax)
	for p.read() != nil || p.report().pid("playground") != p.up.PID() || p.Ready() != nil {
		select {
		case <-p.up.Done():
			t.Fatalf("playground: %v", p.up.Err())
		case <-time.After(pollEvery):
		}
		if time.Now().After(deadline) {
			t.Fatalf("playground: not up within %v; log: %s.log", playgroundMax, p.Dir)
		}
	}
	p.connect(t)
}

// Down stops it as Ctrl-C would; every process must be gone.
func (p *Live) Down(t testing.TB) {
	t.Helper()
	f := p.report()
	for _, db := range p.Audit {
		db.Close()
	}
	for _, a := range p.auditors {
		a.Close()
	}
	p.Audit, p.auditors = nil, nil
	ctx, cancel := context.WithTimeout(context.Background(), playgroundMax)
	defer cancel()
	if err := p.up.Stop(ctx); err != nil {
		t.Errorf("playground: %v", err)
	}
	for _, one := range f.Processes {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d/exe", one.PID)); err == nil {
			t.Errorf("%s (%d) outlived the playground", one.Name, one.PID)
		}
	}
}

func (p *Live) report() *file {
	f := &file{}
	if raw, err := os.ReadFile(filepath.Join(p.Dir, "playground.json")); err == nil {
		_ = json.Unmarshal(raw, f) // an unfinished file reads as an empty one
	}
	return f
}

func (f *file) pid(name string) int {
	for _, one := range f.Processes {
		if one.Name == name {
			return one.PID
		}
	}
	return 0
}

func (p *Live) read() error {
	f := p.report()
	if f.API == "" {
		return errors.New("playground.json is not there yet")
	}
	p.API, p.Operator, p.PaymentSimulator, p.Events = f.API, f.Operator, f.PaymentSimulator, f.Events
	secret, err := os.ReadFile(filepath.Join(p.Dir, f.TokenKeyFile))
	p.tokenKey = bearer.Key{ID: f.TokenKeyID, Algorithm: bearer.HS256, Secret: bytes.TrimSpace(secret)}
	return err
}

// PID of one of its processes, by the name in playground.json.
func (p *Live) PID(name string) int { return p.report().pid(name) }

// Admin is a connection to a SET's database that may do everything, to plant
// damage with.
func (p *Live) Admin(t testing.TB, set int) *sql.DB {
	t.Helper()
	password, err := os.ReadFile(filepath.Join(p.Dir, "keys", "db-admin.password"))
	if err != nil {
		t.Fatal(err)
	}
	dsn := p.report().Sets[set].Nodes[0].AuditDSN // audit:…@tcp(addr)/hb_000
	db, err := sql.Open("mysql", "admin:"+string(bytes.TrimSpace(password))+dsn[strings.LastIndex(dsn, "@"):])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// DatabasePID is the pid of a SET's mariadbd.
func (p *Live) DatabasePID(set int) int { return p.report().Sets[set].Nodes[0].PID }

// Ready asks the operator's listener.
func (p *Live) Ready() error {
	res, err := http.Get(p.Operator + "/readyz")
	if err != nil {
		return err
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New(res.Status)
	}
	return nil
}

func (p *Live) connect(t testing.TB) {
	t.Helper()
	secret, err := os.ReadFile(filepath.Join(p.Dir, "keys", "draw.key"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := envelope.NewDrawKey(bytes.TrimSpace(secret))
	if err != nil {
		t.Fatal(err)
	}
	p.booksDSNs = nil
	for _, shard := range p.report().Books {
		p.booksDSNs = append(p.booksDSNs, shard.AuditDSN)
	}
	for _, set := range p.report().Sets {
		dsn := set.Nodes[0].AuditDSN
		db, err := sql.Open("mysql", dsn)
		if err != nil {
			t.Fatal(err)
		}
		a, err := audit.OpenDSN(dsn, key)
		if err != nil {
			t.Fatal(err)
		}
		p.Audit, p.auditors = append(p.Audit, db), append(p.auditors, a)
	}
}

// Token is a bearer token of user.
func (p *Live) Token(user string) string {
	token, err := bearer.Mint(p.tokenKey, envelope.UserID(user), "", tokenLife, time.Now())
	if err != nil {
		panic(err) // the caller wrote the user's name
	}
	return token
}

// Operate makes one request to the operator's listener as a person with a token
// of scope operate.
func (p *Live) Operate(t testing.TB, method, path, person string) *Answer {
	t.Helper()
	secret, err := os.ReadFile(filepath.Join(p.Dir, "keys", "operator.key"))
	if err != nil {
		t.Fatal(err)
	}
	key := bearer.Key{ID: "operators", Algorithm: bearer.HS256, Secret: bytes.TrimSpace(secret)}
	token, err := bearer.Mint(key, envelope.UserID(person), bearer.ScopeOperate.String(), tokenLife, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	a, err := p.Call(t.Context(), method, p.Operator+path, "", "", "Authorization", "Bearer "+token)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Answer is what one call came back with.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// String finds a string member of a JSON body.
func (a *Answer) String(member string) string {
	var m map[string]any
	_ = json.Unmarshal(a.Body, &m) // no JSON, no member
	s, _ := m[member].(string)
	return s
}

// Int finds an integer member of a JSON body.
func (a *Answer) Int(member string) int64 {
	var m map[string]any
	dec := json.NewDecoder(bytes.NewReader(a.Body))
	dec.UseNumber()
	_ = dec.Decode(&m) // no JSON, no member
	n, _ := m[member].(json.Number)
	v, _ := n.Int64()
	return v
}

const answerBytesMax = 4 << 20

// Call makes one request as user ("" for none); headers are pairs. An answer of
// the API that its document does not describe is an error (FS32).
func (p *Live) Call(ctx context.Context, method, url, user, body string, headers ...string) (*Answer, error) {
	if strings.HasPrefix(url, "/") {
		url = p.API + url
	}
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if user != "" {
		req.Header.Set("Authorization", "Bearer "+p.Token(user))
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, answerBytesMax))
	if err == nil && strings.HasPrefix(url, p.API+"/v1/") && !strings.HasSuffix(url, "/echo") {
		err = p.document.Check(method, req.URL.EscapedPath(), res.StatusCode, res.Header, raw)
	}
	return &Answer{Status: res.StatusCode, Header: res.Header, Body: raw}, err
}

// Send sends an envelope as user; a key is made when there is none.
func (p *Live) Send(t testing.TB, user, key, order string) *Answer {
	t.Helper()
	if key == "" {
		key = strconv.FormatInt(time.Now().UnixNano(), 36)
	}
	a, err := p.Call(t.Context(), http.MethodPost, "/v1/envelopes", user, order, "Idempotency-Key", key, "Content-Type", "application/json")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Paid sends and pays an envelope and returns its ID and ticket.
func (p *Live) Paid(t testing.TB, user, order string) (id, ticket string) {
	t.Helper()
	sent := p.Send(t, user, "", order)
	if sent.Status != http.StatusCreated {
		t.Fatalf("send: %d %s", sent.Status, sent.Body)
	}
	var body struct {
		ID      string `json:"id"`
		Payment struct {
			CodeURL string `json:"code_url"`
		} `json:"payment"`
	}
	if err := json.Unmarshal(sent.Body, &body); err != nil {
		t.Fatal(err)
	}
	if a, err := p.Call(t.Context(), http.MethodPost, body.Payment.CodeURL, "", "", "Accept", "application/json"); err != nil || a.Status != http.StatusOK {
		t.Fatalf("pay %s: %v %+v", body.Payment.CodeURL, err, a)
	}
	for deadline := time.Now().Add(playgroundMax); time.Now().Before(deadline); {
		a, err := p.Call(t.Context(), http.MethodGet, "/v1/envelopes/"+body.ID, user, "")
		if err != nil {
			t.Fatal(err)
		}
		if ticket := a.String("ticket"); ticket != "" {
			return body.ID, ticket
		}
		<-time.After(pollEvery)
	}
	t.Fatalf("envelope %s was paid and is not active after %v", body.ID, playgroundMax)
	return "", ""
}
