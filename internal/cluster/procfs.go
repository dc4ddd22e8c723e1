package cluster

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// tcpListen is the state LISTEN in /proc/net/tcp.
const tcpListen = "0A"

// stopped reports whether every thread of pid is stopped by a signal.
func stopped(pid int) bool {
	stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(stats) == 0 {
		return false
	}
	for _, name := range stats {
		stat, err := os.ReadFile(name)
		if err != nil {
			return false
		}
		// "pid (name) state …": the name may itself hold parentheses.
		if after := stat[bytes.LastIndexByte(stat, ')')+1:]; !bytes.HasPrefix(after, []byte(" T ")) {
			return false
		}
	}
	return true
}

// ListenerPID is the process of this machine that listens on a TCP port, if we may
// see it.
func ListenerPID(port int) (pid int, ok bool) {
	_, pid, ok = listener(port)
	return pid, ok
}

// listener names the process that listens on a TCP port of any local address,
// as far as we may see: the descriptors of other users' processes are hidden.
func listener(port int) (name string, pid int, ok bool) {
	sockets := listeningSockets(port)
	if len(sockets) == 0 {
		return "", 0, false
	}
	fds, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return "", 0, false
	}
	for _, fd := range fds {
		target, err := os.Readlink(fd)
		if err != nil || !sockets[target] {
			continue
		}
		dir := filepath.Dir(filepath.Dir(fd))
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		comm, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err != nil {
			continue
		}
		return strings.TrimSpace(string(comm)), pid, true
	}
	return "", 0, false
}

// listeningSockets returns the sockets that listen on port, named as their
// descriptors are in /proc: "socket:[12345]".
func listeningSockets(port int) map[string]bool {
	sockets := map[string]bool{}
	suffix := fmt.Sprintf(":%04X", port)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			continue // no IPv6 here
		}
		for line := range strings.Lines(string(text)) {
			// sl local_address rem_address st queues timer retrnsmt uid timeout inode …
			f := strings.Fields(line)
			if len(f) > 9 && strings.HasSuffix(f[1], suffix) && f[3] == tcpListen {
				sockets["socket:["+f[9]+"]"] = true
			}
		}
	}
	return sockets
}
