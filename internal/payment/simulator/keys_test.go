package simulator

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestKeysAreMadeOnceAndKept(t *testing.T) {
	dir := t.TempDir()
	keys, err := GenerateKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	read := func() map[string]string {
		files := map[string]string{}
		for _, name := range []string{keys.MerchantPrivate, keys.MerchantPublic, keys.PlatformPrivate, keys.PlatformPublic, keys.APIv3} {
			content, err := os.ReadFile(name)
			info, statErr := os.Stat(name)
			if err := errors.Join(err, statErr); err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %v", name, info.Mode())
			}
			files[name] = string(content)
		}
		return files
	}
	first := read()
	// An interrupted call: a public half and the APIv3 key are missing.
	for _, name := range []string{keys.PlatformPublic, keys.APIv3} {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	if again, err := GenerateKeys(dir); err != nil || again != keys {
		t.Fatalf("%+v, %v", again, err)
	}
	for name, content := range read() {
		if content != first[name] && name != keys.APIv3 {
			t.Errorf("%s is another one", name)
		}
	}
	if drafts, err := filepath.Glob(filepath.Join(dir, ".draft-*")); err != nil || len(drafts) > 0 {
		t.Errorf("left behind: %v, %v", drafts, err)
	}
	if _, err := New(mustConfig(t, dir)); err != nil {
		t.Error(err)
	}
}

func mustConfig(t *testing.T, dir string) Config {
	t.Helper()
	cfg, err := configIn(dir, "http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}
