package testbed

import (
	"net"
	"net/url"
	"strconv"

	"hongbao/internal/cluster"
	"hongbao/internal/playground"
	"hongbao/internal/settings"
)

// handMade is what playground.json would say of an environment that was made by hand.
// Of processes on other machines nothing is known but their addresses, and so no CPU
// time either.
func handMade(conf *settings.Settings) *playground.Description {
	r := &playground.Description{API: "http://" + dialable(conf.Listen.Public), Operator: "http://" + dialable(conf.Listen.Operator), PaymentSimulator: conf.Payment.BaseURL}
	if events, err := url.Parse(conf.Events.URL); err == nil && events.Host != "" {
		r.Events = events.Scheme + "://" + events.Host
	}
	for _, set := range conf.Sets {
		r.Sets = append(r.Sets, playground.Set{Set: set.Set, Nodes: []playground.Node{{Addr: set.Primary, PID: localPID(set.Primary), Role: "primary"}}})
		r.Memcached = append(r.Memcached, set.Memcached...)
	}
	r.Processes = []playground.Process{{Name: "hongbaod", PID: localPID(conf.Listen.Public)}}
	if base, err := url.Parse(conf.Payment.BaseURL); err == nil {
		r.Processes = append(r.Processes, playground.Process{Name: "paysim", PID: localPID(base.Host)})
	}
	return r
}

// dialable is an address to call for one that is listened on.
func dialable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return listen
}

// localPID is the process behind an address of this machine, 0 if it is none.
func localPID(addr string) int {
	host, port, err := net.SplitHostPort(dialable(addr))
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return 0
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return 0
	}
	pid, _ := cluster.ListenerPID(n)
	return pid
}
