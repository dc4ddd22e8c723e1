package main_test

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hongbao/internal/settest"
)

const (
	attacksMin     = 80 // for each call
	attackersMax   = 16
	hostileMax     = 30 * time.Second // for one answer; a body that never comes is cut off after 5 s
	problemMax     = 4 << 10          // bytes of a refusal
	settledMax     = 30 * time.Second
	settledEvery   = 200 * time.Millisecond
	netHTTPRefuses = "4xx" // refused before it is a request, in net/http's words
)

// FH1, FH2, FH3, FH4, FH5, FH6, FH7, FH14, FH15:
// TestHostileRequestsAreRefusedByRule sends the real programs, over real
// sockets, requests that each break one rule. Every answer is a 4xx that names
// the rule; no answer tells how the service is built; no row of any SET
// changes.
func TestHostileRequestsAreRefusedByRule(t *testing.T) {
	s := setStage(t, settest.Playground(t))
	before := s.settled(t)
	t.Run("against", func(t *testing.T) {
		for _, c := range []*campaign{s.againstSend(), s.againstShow(), s.againstGrab(), s.againstOpen(), s.againstNotifications()} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				s.wage(t, c)
			})
		}
	})
	for table, row := range changed(before, s.snapshot(t)) {
		t.Errorf("%s was changed: %s", table, row)
	}
	// The service is well, and the snapshot would have seen a row change.
	for _, good := range []letter{s.sendLetter(), s.callLetter("POST", s.id, "/open")} {
		before = s.snapshot(t)
		if res, body, err := s.fire(good.wire(), good.method); err != nil || res.StatusCode/100 != 2 {
			t.Errorf("%s afterwards: %v %v %s", good.target, err, res, body)
		}
		if len(changed(before, s.snapshot(t))) == 0 {
			t.Errorf("%s went through and the snapshot did not see it", good.target)
		}
	}
}

// wage sends everything of one campaign.
func (s *stage) wage(t *testing.T, c *campaign) {
	if len(c.attacks) < attacksMin {
		t.Errorf("%d attacks, want at least %d", len(c.attacks), attacksMin)
	}
	if c.harmless { // so that each attack fails for the one thing it changes
		if res, body, err := s.fire(c.good.wire(), c.good.method); err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("the request without its flaw: %v %v %s", err, res, body)
		}
	}
	s.fireAll(t, c)
	t.Logf("%d attacks", len(c.attacks))
}

// stage is what the attacks are about: one active envelope of sender that friend
// may open, and the ticket of another one.
type stage struct {
	pg          *settest.Live
	id, ticket  string
	otherTicket string
	tokenKID    string
	tokenSecret []byte
}

func setStage(t *testing.T, pg *settest.Live) *stage {
	t.Helper()
	s := &stage{pg: pg}
	const order = `{"kind":"lucky","total_fen":1000,"count":5,"group_id":"hostile"}`
	s.id, s.ticket = pg.Paid(t, "sender", order)
	_, s.otherTicket = pg.Paid(t, "sender", order)
	var found struct {
		TokenKeyFile string `json:"token_key_file"`
		TokenKID     string `json:"token_kid"`
	}
	raw, err := os.ReadFile(filepath.Join(pg.Dir, "playground.json"))
	if err == nil {
		err = json.Unmarshal(raw, &found)
	}
	if err == nil {
		s.tokenKID = found.TokenKID
		s.tokenSecret, err = os.ReadFile(filepath.Join(pg.Dir, found.TokenKeyFile))
	}
	if err != nil {
		t.Fatal(err)
	}
	s.tokenSecret = bytes.TrimSpace(s.tokenSecret)
	return s
}

// sign makes a token of any header and claims, signed as HS256 with secret.
func sign(header, claims string, secret []byte) string {
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(header)) + "." + encode([]byte(claims))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return text + "." + encode(mac.Sum(nil))
}

// letter is a request as it goes over the wire: nothing on our side mends it.
type letter struct {
	method, target string
	headers        []string // whole lines
	body           string
	framed         bool // the headers already say how long the body is
}

func (l letter) wire() string {
	lines := append([]string{l.method + " " + l.target + " HTTP/1.1"}, l.headers...)
	if l.body != "" && !l.framed {
		lines = append(lines, "Content-Length: "+strconv.Itoa(len(l.body)))
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + l.body
}

// plus adds header lines to those that are there.
func (l letter) plus(lines ...string) letter {
	l.headers = append(l.headers[:len(l.headers):len(l.headers)], lines...)
	return l
}

// without leaves out a header.
func (l letter) without(name string) letter {
	var kept []string
	for _, line := range l.headers {
		if !strings.HasPrefix(line, name+":") {
			kept = append(kept, line)
		}
	}
	l.headers = kept
	return l
}

func (l letter) with(name, value string) letter {
	return l.without(name).plus(name + ": " + value)
}

func (l letter) at(target string) letter     { l.target = target; return l }
func (l letter) carrying(body string) letter { l.body = body; return l }
func (l letter) by(method string) letter     { l.method = method; return l }
func (l letter) framedBy(line string) letter { l.framed = true; return l.plus(line) }
func (l letter) bearing(token string) letter { return l.with("Authorization", "Bearer "+token) }
func (s *stage) host() string                { return strings.TrimPrefix(s.pg.API, "http://") }
func (s *stage) plain(method, at string) letter {
	return letter{method: method, target: at, headers: []string{"Host: " + s.host()}}
}

// attack is one hostile request and the refusal it must get: a status and a
// code, with the field where a field breaks the rule.
type attack struct {
	name, wire, method, want string
}

// campaign is everything against one call.
type campaign struct {
	name     string
	good     letter // what the attacks change one thing of
	harmless bool   // good can be tried without changing a row
	attacks  []attack
}

func (c *campaign) add(want, name string, l letter) {
	c.attacks = append(c.attacks, attack{name, l.wire(), l.method, want})
}

// fireAll sends the attacks, some at a time.
func (s *stage) fireAll(t *testing.T, c *campaign) {
	work := make(chan attack)
	var attackers sync.WaitGroup
	for range attackersMax {
		attackers.Go(func() {
			for a := range work {
				if err := s.try(a); err != nil {
					t.Errorf("%s: %v", a.name, err)
				}
			}
		})
	}
	for _, a := range c.attacks {
		work <- a
	}
	close(work)
	attackers.Wait()
}

// telling finds words that would tell an attacker how the service is built.
var telling = regexp.MustCompile(`(?i)\b(select|insert into|update|sql|mysql|mariadb|memcached|gin|goroutine|panic|runtime|stack)\b|` +
	`\.go\b|/(srv|root|home|work|usr|tmp)/|hb_\d|0x[0-9a-f]{6}|dial tcp|127\.0\.0\.1`)

// try fires one attack and says how the answer is not what it must be.
func (s *stage) try(a attack) error {
	res, body, err := s.fire(a.wire, a.method)
	if err != nil {
		return err
	}
	if word := telling.FindString(body); word != "" {
		return fmt.Errorf("%s says %q: %s", res.Status, word, body)
	}
	if a.want == netHTTPRefuses {
		if res.StatusCode/100 != 4 {
			return fmt.Errorf("%s %s, want a 4xx", res.Status, body)
		}
		return nil
	}
	var p struct {
		Code, Field, Rule, Title, Message string
		Status                            int
	}
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		return fmt.Errorf("%s %q: %w", res.Status, body, err)
	}
	got := strings.TrimSpace(fmt.Sprintf("%d %s %s", res.StatusCode, p.Code, p.Field))
	named, media := p.Title != "" && p.Status == res.StatusCode && (p.Field == "") == (p.Rule == ""), "application/problem+json"
	if p.Code == "FAIL" {
		named, media = p.Message != "", "application/json"
	}
	if got != a.want || !named || res.Header.Get("Content-Type") != media {
		return fmt.Errorf("%s as %s: %s; want %s", got, res.Header.Get("Content-Type"), body, a.want)
	}
	return nil
}

// fire sends bytes over a connection of their own and reads the one answer.
func (s *stage) fire(wire, method string) (*http.Response, string, error) {
	conn, err := net.Dial("tcp", s.host())
	if err != nil {
		return nil, "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(hostileMax)); err != nil {
		return nil, "", err
	}
	// Written beside the reading: the service may answer before it has it all,
	// and a write that then fails is what it wanted.
	var writing sync.WaitGroup
	writing.Go(func() { _, _ = io.WriteString(conn, wire) })
	defer writing.Wait()
	defer conn.Close()
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return nil, "", fmt.Errorf("no answer: %w", err)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, problemMax))
	return res, string(body), errors.Join(err, res.Body.Close())
}

// settled is a snapshot that has stopped changing: payments arrive and are
// booked in their own time.
func (s *stage) settled(t *testing.T) map[string]string {
	t.Helper()
	last := s.snapshot(t)
	for deadline := time.Now().Add(settledMax); time.Now().Before(deadline); {
		<-time.After(settledEvery)
		now := s.snapshot(t)
		if len(changed(last, now)) == 0 {
			return now
		}
		last = now
	}
	t.Fatalf("the tables still change after %v", settledMax)
	return nil
}

// snapshot is the number of rows and the checksum of every table of every SET
// that is not empty, but for those that the clock moves: the machine numbers,
// whose leases are renewed, and the deliveries, which are due by and by.
func (s *stage) snapshot(t *testing.T) map[string]string {
	t.Helper()
	rows := map[string]string{}
	for _, db := range s.pg.Audit {
		for _, table := range tables(t, db) {
			var name, checksum string
			var count int64
			if err := db.QueryRowContext(t.Context(), "CHECKSUM TABLE "+table).Scan(&name, &checksum); err != nil {
				t.Fatal(err)
			}
			if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&count); err != nil {
				t.Fatal(err)
			}
			if count > 0 {
				rows[name] = fmt.Sprintf("%d rows, checksum %s", count, checksum)
			}
		}
	}
	return rows
}

func tables(t *testing.T, db *sql.DB) (names []string) {
	t.Helper()
	found, err := db.QueryContext(t.Context(), `SELECT table_name FROM information_schema.tables
		WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND table_name NOT IN ('machine_lease', 'delivery')`)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	for found.Next() {
		var name string
		if err := found.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if err := found.Err(); err != nil || len(names) == 0 {
		t.Fatalf("%d tables: %v", len(names), err)
	}
	return names
}

// changed is what differs, by table.
func changed(before, after map[string]string) map[string]string {
	diff := map[string]string{}
	for table := range maps.Keys(before) {
		if before[table] != after[table] {
			diff[table] = before[table] + " → " + after[table]
		}
	}
	for table := range after {
		if _, ok := before[table]; !ok {
			diff[table] = "empty → " + after[table]
		}
	}
	return diff
}
