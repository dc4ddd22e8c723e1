package testbed

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestListeningAddressCanBeCalled(t *testing.T) {
	for listen, want := range map[string]string{
		":8080": "127.0.0.1:8080", "0.0.0.0:8080": "127.0.0.1:8080", "[::]:8080": "127.0.0.1:8080",
		"127.0.0.1:8080": "127.0.0.1:8080", "hongbao.example:8080": "hongbao.example:8080",
	} {
		if got := dialable(listen); got != want {
			t.Errorf("%s is called at %s, want %s", listen, got, want)
		}
	}
}

func TestOnlyProcessesOfThisMachineAreKnown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if pid := localPID(l.Addr().String()); pid != os.Getpid() {
		t.Errorf("our listener belongs to %d, want %d", pid, os.Getpid())
	}
	for _, addr := range []string{"192.0.2.1:80", "nonsense", "127.0.0.1:none"} {
		if pid := localPID(addr); pid != 0 {
			t.Errorf("%s belongs to %d", addr, pid)
		}
	}
}

func TestAnAnswerThatIsNoneIsAnError(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/good" {
			http.Error(w, "no such lie", http.StatusNotFound)
			return
		}
		_, _ = w.Write([]byte(`{"told":{"twice":2}}`))
	}))
	defer server.Close()
	var out struct{ Told map[string]int64 }
	if err := call(t.Context(), http.MethodGet, server.URL+"/good", nil, &out); err != nil || out.Told["twice"] != 2 {
		t.Errorf("read %v, %v", out, err)
	}
	if err := call(t.Context(), http.MethodPut, server.URL+"/bad", map[string]int{"a": 1}, nil); err == nil || !strings.Contains(err.Error(), "no such lie") {
		t.Errorf("a 404 is %v", err)
	}
}

func TestPlaygroundThatDoesNotStartIsAnError(t *testing.T) {
	t.Chdir(t.TempDir()) // without a playground beside it
	cfg := OwnConfig{Beside: filepath.Join(".hongbao", "hongbao.yaml"), Program: "/none", Daemon: "/none", Progress: quiet{}}
	err := OnOwn(t.Context(), cfg, func(*Testbed) (bool, error) { t.Error("measured"); return true, nil })
	if err == nil || !strings.Contains(err.Error(), "/none") || !strings.Contains(err.Error(), "kept in") {
		t.Errorf("a program that is not there: %v", err)
	}
}

func TestFailedMeasurementLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "hongbao.yaml")
	never := func(*Testbed) (bool, error) { t.Error("measured"); return true, nil }
	if err := OnOwn(t.Context(), OwnConfig{Beside: file}, never); err == nil || !strings.Contains(err.Error(), "required") {
		t.Errorf("without programs: %v", err)
	}
	if err := os.WriteFile(file, []byte("environment: ["), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := OwnConfig{Beside: file, Program: "/none", Daemon: "/none", Progress: quiet{}}
	if err := OnOwn(t.Context(), cfg, never); err == nil {
		t.Error("beside settings that cannot be read")
	}
	if _, err := Find(t.Context(), filepath.Join(dir, "none.yaml"), "/none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("settings that are not there: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "load-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// quiet reports nothing.
type quiet struct{}

func (quiet) Say(string, ...any)                   {}
func (quiet) Step(_ string, do func() error) error { return do() }
