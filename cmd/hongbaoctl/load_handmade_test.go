package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hongbao/internal/settest"
)

// TestLoadOnAnEnvironmentMadeByHand holds FS37: the settings are all that is
// known of it, and no process is called a playground.
func TestLoadOnAnEnvironmentMadeByHand(t *testing.T) {
	p := settest.Playground(t)
	raw, err := os.ReadFile(filepath.Join(p.Dir, "hongbao.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	text := strings.ReplaceAll(string(raw), ": keys/", ": "+p.Dir+"/keys/")
	file := filepath.Join(dir, "hongbao.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	load := []string{"--config", file, "--json", "load", "run", "--scenario", "hot", "--duration", "2s"}
	if s := verb(t, p, nil, load...); s.code != 0 || !strings.Contains(s.out, `"violations": []`) {
		t.Errorf("exit %d: %s%s", s.code, s.out, s.err)
	}
	dead := strings.Replace(text, strings.TrimPrefix(p.Operator, "http://"), "127.0.0.1:1", 1)
	if err := os.WriteFile(file, []byte(dead), 0o600); err != nil {
		t.Fatal(err)
	}
	if s := verb(t, p, nil, load...); s.code != 1 || !strings.Contains(s.err, "no hongbaod is ready behind "+file) {
		t.Errorf("without a hongbaod: exit %d: %s%s", s.code, s.out, s.err)
	}
}
