package main_test

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"hongbao/internal/settest"
)

// TestAPlaygroundIsAsItWasLeft is FS26.
func TestAPlaygroundIsAsItWasLeft(t *testing.T) {
	p := settest.Playground(t, "--life", "3h", "--payouts", "batches")
	p.Down(t)
	p.Flags = nil
	p.Up(t)
	config := filepath.Join(p.Dir, "hongbao.yaml")
	for _, want := range []string{"life: 3h0m0s", "payouts: batches"} {
		if raw, err := os.ReadFile(config); err != nil || !strings.Contains(string(raw), want) {
			t.Errorf("a second start without flags has not %q: %s %v", want, raw, err)
		}
	}
	t.Run("a killed mariadbd is started again", func(t *testing.T) { testKilledDatabase(t, p) })
	t.Run("a port that is taken ends nothing", func(t *testing.T) { testTakenPort(t, p) })
	p.Down(t)
	t.Run("a SET is not left out", func(t *testing.T) {
		wantSaid(t, p, 1, words("playground up --no-tour --sets 1 --dir "+p.Dir), "has 2 SETs", "--sets 2")
	})
	edited, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	edited = append(edited, "# mine\n"...)
	if err := os.WriteFile(config, edited, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("an edited file is not written over", func(t *testing.T) {
		wantSaid(t, p, 1, words("playground up --no-tour --life 5h --dir "+p.Dir), config, "--keep-config", "mv ")
		if raw, err := os.ReadFile(config); err != nil || string(raw) != string(edited) {
			t.Errorf("it is %q now, %v", raw, err)
		}
	})
	p.Flags = []string{"--keep-config"}
	p.Up(t)
	if raw, err := os.ReadFile(config); err != nil || string(raw) != string(edited) {
		t.Errorf("with --keep-config it became %q, %v", raw, err)
	}
	t.Run("down where none is", func(t *testing.T) {
		nowhere := filepath.Join(t.TempDir(), "none")
		wantSaid(t, p, 1, words("playground down --dir "+nowhere), "there is no playground in "+nowhere)
	})
}

func testKilledDatabase(t *testing.T, p *settest.Live) {
	old := p.DatabasePID(0)
	if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another mariadbd", func() bool { return p.DatabasePID(0) != old && p.Ready() == nil })
	eventually(t, "SET 000 takes an envelope", func() bool {
		sent := p.Send(t, "sender", "", `{"kind":"equal","share_fen":100,"count":1,"group_id":"g"}`)
		return sent.Status == http.StatusCreated && strings.HasPrefix(sent.String("id")[19:], "000")
	})
}

// testTakenPort kills memcached and takes its port before it is back.
func testTakenPort(t *testing.T, p *settest.Live) {
	var found struct{ Memcached []string }
	raw, err := os.ReadFile(filepath.Join(p.Dir, "playground.json"))
	if err == nil {
		err = json.Unmarshal(raw, &found)
	}
	if err != nil {
		t.Fatal(err)
	}
	old := p.PID("memcached")
	if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var taken net.Listener
	eventually(t, "its port is ours", func() bool {
		taken, err = net.Listen("tcp", found.Memcached[0])
		return err == nil
	})
	eventually(t, "the playground says so", func() bool {
		log, err := os.ReadFile(p.Dir + ".log")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(log), "memcached: ")
	})
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "memcached is back", func() bool { return p.PID("memcached") != old })
	if err := p.Ready(); err != nil {
		t.Error(err)
	}
}
