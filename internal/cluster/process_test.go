package cluster_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hongbao/internal/cluster"
)

// shell starts a shell script and returns the path of its log.
func shell(t *testing.T, script string) (*cluster.Process, string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	p, err := cluster.Start(cluster.Command{
		Name: "script", Path: "/bin/sh", Args: []string{"-c", script},
		Env: []string{"GREETING=hello"}, Dir: "/", LogFile: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	})
	return p, log
}

func ended(t *testing.T, p *cluster.Process) {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(goneMax):
		t.Fatal("the child still runs")
	}
}

func TestEarlyExitQuotesTheEndOfTheLog(t *testing.T) {
	p, _ := shell(t, `for i in $(seq 2000); do echo line $i; done; echo "$GREETING from $PWD" >&2; exit 3`)
	ended(t, p)
	err := p.Err()
	if err == nil {
		t.Fatal("status 3 is no error")
	}
	for _, want := range []string{"script ended: exit status 3", "hello from /", "\nline 2000\n"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "line 1\n") {
		t.Error("the whole log is quoted, not its end")
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Errorf("%T hides the exit status", err)
	}
}

func TestErrorQuotesItsOwnRunOnly(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(log, []byte("yesterday's trouble\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := cluster.Start(cluster.Command{Name: "false", Path: "/bin/false", LogFile: log})
	if err != nil {
		t.Fatal(err)
	}
	ended(t, p)
	if err := p.Err(); err == nil || strings.Contains(err.Error(), "yesterday") {
		t.Errorf("error %v, want one without the earlier run's lines", err)
	}
}

func TestUnexecutableProgramIsAnError(t *testing.T) {
	_, err := cluster.Start(cluster.Command{Name: "nothing", Path: "/does/not/exist", LogFile: filepath.Join(t.TempDir(), "log")})
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "start of nothing") {
		t.Fatalf("error %v", err)
	}
}

func TestDeathByAForeignSignalIsAnError(t *testing.T) {
	p, _ := shell(t, `kill -9 $$`)
	ended(t, p)
	if err := p.Err(); err == nil || !strings.Contains(err.Error(), "signal: killed") {
		t.Errorf("error %v, want the signal", err)
	}
}

func TestStopEndsAFrozenChild(t *testing.T) {
	p, _ := shell(t, `exec sleep 600`)
	if err := p.Freeze(); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if alive(p.PID()) {
		t.Error("the child still runs after Stop")
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Errorf("a second Stop: %v", err)
	}
}

func TestStopKillsAChildThatIgnoresSIGTERM(t *testing.T) {
	p, log := shell(t, `trap "" TERM; echo deaf; exec sleep 600`)
	eventually(t, "the trap is set", func() bool {
		text, err := os.ReadFile(log)
		return err == nil && len(text) > 0
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := p.Stop(ctx)
	if err == nil || !strings.Contains(err.Error(), "did not end on SIGTERM") {
		t.Errorf("error %v, want one that tells of the kill", err)
	}
	ended(t, p)
	if err := p.Err(); err != nil {
		t.Errorf("a death that was asked for is an error: %v", err)
	}
}

func TestKillFencesAFrozenChild(t *testing.T) {
	p, _ := shell(t, `exec sleep 600`)
	if err := p.Freeze(); err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if alive(p.PID()) {
		t.Error("the child is alive after Kill returned")
	}
	if err := p.Err(); err != nil {
		t.Errorf("a death that was asked for is an error: %v", err)
	}
	if err := p.Freeze(); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("freeze of a dead child: %v, want %v", err, os.ErrProcessDone)
	}
}
