package cluster

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are chosen between these two, both included: below 32768, where Linux
// begins to hand out ports to outgoing connections. A client's socket in
// TIME_WAIT up there keeps a server from binding.
const (
	portFirst = 12000
	portLast  = 31999
)

const loopback = "127.0.0.1"

// FreePorts returns n different TCP ports, in 12000–31999, on which nothing on
// 127.0.0.1 listens at the moment. The search starts at a random one, so that
// two test runs seldom meet; they still can, and then the later server says so.
func FreePorts(n int) ([]int, error) {
	const span = portLast - portFirst + 1
	if n < 1 || n > span {
		return nil, fmt.Errorf("free ports: want 1 <= n <= %d, have %d", span, n)
	}
	ports := make([]int, 0, n)
	start := rand.IntN(span)
	for i := range span {
		port := portFirst + (start+i)%span
		if bindable(port) != nil {
			continue
		}
		ports = append(ports, port)
		if len(ports) == n {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("free ports: only %d of %d are free between %d and %d", len(ports), n, portFirst, portLast)
}

// CheckPort returns nil if a server could bind port on 127.0.0.1 now, and
// otherwise an error that says which process to stop.
func CheckPort(port int) error {
	if port < 1 || port > 65535 {
		return fmt.Errorf("port %d: want 1 <= port <= 65535", port)
	}
	err := bindable(port)
	if err == nil {
		return nil
	}
	if name, pid, ok := listener(port); ok {
		return fmt.Errorf("port %d is in use by %s (pid %d): stop it or choose another port", port, name, pid)
	}
	return fmt.Errorf("port %d cannot be used, and not by a process we may see: %w", port, err)
}

// bindable tries to listen on port, and lets it go.
func bindable(port int) error {
	l, err := net.Listen("tcp4", address(port))
	if err != nil {
		return err
	}
	return l.Close()
}

func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }
