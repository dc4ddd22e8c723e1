package durable_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hongbao/internal/durable"
)

func TestAFileThatIsThereStays(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	for i, want := range []bool{true, false} {
		if made, err := durable.Create(file, fmt.Append(nil, i)); err != nil || made != want {
			t.Errorf("create %d: made %v, %v, want %v", i, made, err, want)
		}
	}
	wantFile(t, file, "0")
	if err := durable.Replace(file, []byte("2")); err != nil {
		t.Fatal(err)
	}
	wantFile(t, file, "2")
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 1 {
		t.Errorf("the folder has %v, %v, want the file alone", left, err)
	}
}

func wantFile(t *testing.T, file, want string) {
	t.Helper()
	raw, err := os.ReadFile(file)
	info, statErr := os.Stat(file)
	if err != nil || statErr != nil || string(raw) != want || info.Mode().Perm() != 0o600 {
		t.Errorf("%s holds %q with mode %v, %v %v, want %q with 0600", file, raw, info.Mode(), err, statErr, want)
	}
}

func TestWhatCannotBeWrittenIsAnError(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "absent", "key")
	if _, err := durable.Create(nowhere, nil); err == nil {
		t.Error("created in a folder that is not there")
	}
	if err := durable.Replace(nowhere, nil); err == nil {
		t.Error("replaced in a folder that is not there")
	}
	folder := t.TempDir()
	if err := durable.Replace(folder, []byte("x")); err == nil {
		t.Error("replaced a folder")
	}
}

// written is what a call made of the file system, in order.
var written = regexp.MustCompile(`(fsync|fdatasync|linkat|link|rename\w*)\(`)

// TestFileAndFolderAreSynced is FS26: the system calls, in their order, as strace
// sees them where it is there; elsewhere the child's success is all there is to see.
func TestFileAndFolderAreSynced(t *testing.T) {
	if os.Getenv("DURABLE_CHILD") != "" {
		dir := os.Getenv("DURABLE_CHILD")
		if _, err := durable.Create(filepath.Join(dir, "a"), []byte("a")); err != nil {
			t.Fatal(err)
		}
		if err := durable.Replace(filepath.Join(dir, "b"), []byte("b")); err != nil {
			t.Fatal(err)
		}
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{self, "-test.run", "^TestFileAndFolderAreSynced$"}
	strace, err := exec.LookPath("strace")
	if err == nil {
		args = append([]string{strace, "-f", "-e", "trace=fsync,fdatasync,link,linkat,rename,renameat,renameat2"}, args...)
	}
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "DURABLE_CHILD="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if strace == "" {
		return
	}
	var calls []string
	for _, m := range written.FindAllStringSubmatch(string(out), -1) {
		calls = append(calls, m[1][:4])
	}
	if got, want := strings.Join(calls, " "), "fsyn link fsyn fsyn rena fsyn"; got != want {
		t.Errorf("the calls are %q, want %q\n%s", got, want, out)
	}
}
