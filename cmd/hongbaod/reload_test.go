package main_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"hongbao/internal/settings"
)

// summary asks for something that takes a token.
const summary = "/v1/me/summary?year=2026"

func (s *service) wantsStatus(what, token string, want int) {
	s.t.Helper()
	if status, body, err := s.ask(s.Listen.Public, summary, token); err != nil || status != want {
		s.t.Errorf("%s: %d %s %v, want %d", what, status, body, err, want)
	}
}

// hangUp sends SIGHUP and waits until the log says so once more.
func (s *service) hangUp(line string) {
	s.t.Helper()
	before := strings.Count(s.log(), line)
	if err := syscall.Kill(s.daemon.PID(), syscall.SIGHUP); err != nil {
		s.t.Fatal(err)
	}
	s.await(line, func() error {
		if strings.Count(s.log(), line) <= before {
			return fmt.Errorf("the log does not say %q", line)
		}
		return nil
	})
}

// TestSIGHUPReloads is FS25: keys and log level are read again, and after a
// mistake everything stays as it was.
func TestSIGHUPReloads(t *testing.T) {
	s := newService(t)
	s.serve()
	old := s.token("im", "token.key")
	s.wantsStatus("the key of the start", old, http.StatusOK)

	if err := settings.MakePlaygroundSecret(s.path("token-2.key")); err != nil {
		t.Fatal(err)
	}
	s.Keys.Tokens = []settings.TokenKey{{KeyID: "im-2", Algorithm: "HS256", File: "token-2.key"}}
	s.Log.Level, s.Limits.CountMax = "debug", 50
	s.save(t)
	s.hangUp("\"reloaded keys")
	next := s.token("im-2", "token-2.key")
	s.wantsStatus("the new key", next, http.StatusOK)
	s.wantsStatus("the old key, although its token was verified before", old, http.StatusUnauthorized)
	if log := s.log(); !strings.Contains(log, `"level":"DEBUG"`) || !strings.Contains(log, `"takes_a_restart":["limits"]`) {
		t.Errorf("the level did not follow, or limits were not said to take a restart:\n%s", log)
	}

	s.Keys.Tokens = nil
	s.save(t)
	s.hangUp("not reloaded")
	if err := os.WriteFile(s.path("hongbao.yaml"), []byte("colour: red\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.hangUp("not reloaded")
	s.wantsStatus("the key of before the mistakes", next, http.StatusOK)
	if log := s.log(); !strings.Contains(log, "colour") || !strings.Contains(log, "keys.tokens") {
		t.Errorf("the mistakes are not in the log:\n%s", log)
	}
}

// TestADrainIsSaidBeforeItIsDone is FS25: for the notice readyz says draining
// and requests are still answered.
func TestADrainIsSaidBeforeItIsDone(t *testing.T) {
	s := newService(t)
	const notice = 3 * time.Second
	s.Listen.DrainNotice = notice
	s.save(t)
	s.serve()
	s.wants(http.StatusOK, "ready")
	asked := time.Now()
	if err := syscall.Kill(s.daemon.PID(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.wants(http.StatusServiceUnavailable, "draining")
	answered := 0
	for {
		status, _, err := s.ask(s.Listen.Public, "/openapi.json", "")
		if err != nil {
			break
		}
		if status != http.StatusOK {
			t.Errorf("%d during the notice", status)
		}
		answered++
		<-time.After(50 * time.Millisecond)
	}
	if took := time.Since(asked); took < notice || answered == 0 {
		t.Errorf("closed after %v and %d answers, want the notice of %v first", took, answered, notice)
	}
}

// TestIdleTimeAndNoticeOfTheSettings has the defaults and the bounds.
func TestIdleTimeAndNoticeOfTheSettings(t *testing.T) {
	var l settings.Listen
	if l.Notice() != 5*time.Second || l.IdleTime() != 75*time.Second {
		t.Errorf("the defaults are %v and %v, want 5s and 1m15s", l.Notice(), l.IdleTime())
	}
	d := newDeployment(t, "")
	d.Listen.DrainNotice, d.Listen.Idle, d.Log.Level, d.Log.Format = 2*time.Minute, time.Millisecond, "loud", "xml"
	d.save(t)
	_, err := settings.Load(d.path("hongbao.yaml"))
	for _, want := range []string{"listen.drain_notice", "listen.idle", "log.level", "log.format"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not named: %v", want, err)
		}
	}
}
