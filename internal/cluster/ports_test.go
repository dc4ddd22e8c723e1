package cluster_test

import (
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"hongbao/internal/cluster"
)

func TestFreePortsAreDifferentAndFree(t *testing.T) {
	ports, err := cluster.FreePorts(200)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, port := range ports {
		if port < 12000 || port > 31999 || seen[port] {
			t.Errorf("port %d is out of range or given twice", port)
		}
		seen[port] = true
		if err := cluster.CheckPort(port); err != nil {
			t.Error(err)
		}
	}
	for _, n := range []int{-1, 0, 20001} {
		if _, err := cluster.FreePorts(n); err == nil {
			t.Errorf("%d free ports: no error", n)
		}
	}
}

func TestCheckPortNamesTheListeningProcess(t *testing.T) {
	port := freePort(t)
	l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	err = cluster.CheckPort(port)
	if err == nil || !strings.Contains(err.Error(), "(pid "+strconv.Itoa(os.Getpid())+")") {
		t.Errorf("error %v, want this process", err)
	}
	l.Close()
	if err := cluster.CheckPort(port); err != nil {
		t.Errorf("after it was closed: %v", err)
	}
}
