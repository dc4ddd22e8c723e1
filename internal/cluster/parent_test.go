package cluster_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"hongbao/internal/cluster"
)

// TestKill9OfTheParentLeavesNoProcess runs this test binary as the parent of a
// mariadbd, a memcached and a frozen process, and kills it the hard way.
func TestKill9OfTheParentLeavesNoProcess(t *testing.T) {
	dir := t.TempDir()
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), parentVariable+"="+dir)
	parent.Stderr = os.Stderr
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	for lines := bufio.NewScanner(out); len(pids) < 3 && lines.Scan(); {
		pid, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatalf("the parent says %q", lines.Text())
		}
		pids = append(pids, pid)
	}
	t.Cleanup(func() {
		for _, pid := range pids {
			if alive(pid) { // the test has failed
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	})
	if len(pids) != 3 {
		t.Fatalf("the parent started %d children, want 3", len(pids))
	}
	for _, pid := range pids {
		if !alive(pid) {
			t.Fatalf("child %d does not run under its parent", pid)
		}
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := parent.Wait(); err == nil {
		t.Fatal("the parent ended well, though it was killed")
	}
	for _, pid := range pids {
		eventually(t, fmt.Sprintf("child %d has ended", pid), func() bool { return !alive(pid) })
	}

	// What it left behind is a data directory that the next parent can use,
	// even one that comes at once.
	cfg := parentConfig(dir)
	cfg.Port = freePort(t)
	start(t, cfg)
}

func parentConfig(dir string) cluster.MariaDBConfig {
	return cluster.MariaDBConfig{
		Name: "orphan", Dir: filepath.Join(dir, "db"), ServerID: 1,
		AdminPassword: adminPassword, BufferPoolMiB: 16,
	}
}

// beParent starts three children, prints their pids and waits to be killed.
func beParent(dir string) {
	pids, err := startChildren(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, pid := range pids {
		fmt.Println(pid)
	}
	time.Sleep(time.Hour)
	os.Exit(1)
}

func startChildren(dir string) ([]int, error) {
	ctx := context.Background()
	ports, err := cluster.FreePorts(2)
	if err != nil {
		return nil, err
	}
	cfg := parentConfig(dir)
	cfg.Port = ports[0]
	db, err := cluster.StartMariaDB(ctx, cfg)
	if err != nil {
		return nil, err
	}
	cache, err := cluster.StartMemcached(ctx, cluster.MemcachedConfig{Name: "cache", Dir: dir, Port: ports[1]})
	if err != nil {
		return nil, err
	}
	frozen, err := cluster.Start(cluster.Command{
		Name: "frozen", Path: "/bin/sleep", Args: []string{"600"}, LogFile: filepath.Join(dir, "frozen.log"),
	})
	if err != nil {
		return nil, err
	}
	return []int{db.PID(), cache.PID(), frozen.PID()}, frozen.Freeze()
}
