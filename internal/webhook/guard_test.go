package webhook

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"testing"
	"time"
)

func TestGuardTellsPublicFromWhatIsNot(t *testing.T) {
	for addr, want := range map[string]struct{ outside, inside bool }{
		"8.8.8.8": {true, true}, "1.1.1.1": {true, true}, "192.0.1.0": {true, true}, "172.32.0.1": {true, true},
		"100.63.255.255": {true, true}, "100.128.0.0": {true, true}, "223.255.255.255": {true, true},
		"2606:4700::1111": {true, true}, "2001:4860:4860::8888": {true, true}, "::ffff:8.8.8.8": {true, true},

		"127.0.0.1": {false, true}, "127.255.255.254": {false, true}, "10.0.0.1": {false, true}, "172.16.0.1": {false, true},
		"172.31.255.255": {false, true}, "192.168.1.1": {false, true}, "100.64.0.1": {false, true}, "100.127.255.255": {false, true},
		"::1": {false, true}, "fc00::1": {false, true}, "fdff::1": {false, true}, "::ffff:127.0.0.1": {false, true},
		"::ffff:10.0.0.1": {false, true}, "::ffff:7f00:1": {false, true},

		"0.0.0.0": {}, "0.1.2.3": {}, "169.254.169.254": {}, "169.254.0.1": {}, "192.0.0.8": {}, "192.0.2.1": {}, "192.88.99.1": {},
		"198.18.0.1": {}, "198.19.255.255": {}, "198.51.100.7": {}, "203.0.113.7": {}, "224.0.0.1": {}, "239.255.255.255": {},
		"240.0.0.1": {}, "255.255.255.255": {},
		"::": {}, "fe80::1": {}, "fe80::1%eth0": {}, "febf::1": {}, "fec0::1": {}, "ff02::1": {}, "ff0e::1": {}, "100::1": {},
		"::ffff:169.254.169.254": {}, "::ffff:0.0.0.0": {}, "::127.0.0.1": {}, "::ffff:0:127.0.0.1": {},
		"64:ff9b::7f00:1": {}, "64:ff9b::808:808": {}, "64:ff9b:1::1": {}, "2001::1": {}, "2001:db8::1": {}, "2002:7f00:1::": {},
		"3fff::1": {}, "4000::1": {}, "5f00::1": {},
	} {
		ip := netip.MustParseAddr(addr)
		for allow, want := range map[bool]bool{false: want.outside, true: want.inside} {
			err := guard{allowPrivate: allow}.check(ip)
			if (err == nil) != want || err != nil && !errors.Is(err, errForbidden) {
				t.Errorf("%s, AllowPrivate %v: %v, want allowed %v", addr, allow, err, want)
			}
		}
	}
}

func TestWhatIsNotEncryptedStaysInTheHouse(t *testing.T) {
	g := guard{allowPrivate: true, clear: true}
	if err := g.check(netip.MustParseAddr("8.8.8.8")); err == nil {
		t.Error("plain http to a public address")
	}
	if err := g.check(netip.MustParseAddr("10.0.0.1")); err != nil {
		t.Error(err)
	}
}

func FuzzGuardHoldsForEveryDisguise(f *testing.F) {
	for _, s := range []string{"127.0.0.1:80", "[::1]:80", "[fe80::1%lo]:80", "[::ffff:10.0.0.1]:1", "localhost:80", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, address string) {
		if (guard{}).control("tcp", address, nil) != nil {
			return
		}
		ip := net.ParseIP(netip.MustParseAddrPort(address).Addr().WithZone("").String())
		if ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() {
			t.Errorf("%s may be dialled", address)
		}
	})
}

// TestNoNameReachesInside has a server on loopback and every spelling of it that
// a resolver may understand. Config refuses plain addresses; a sender that was
// allowed and is so no longer stands for all others.
func TestNoNameReachesInside(t *testing.T) {
	e := newEndpoint(t, saying(204))
	at, err := url.Parse(e.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"localhost", "127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "[::]"} {
		s := e.sender(t, nil)
		s.request.URL.Host = host + ":" + at.Port()
		s.transport = newTransport(guard{}, time.Second, net.DefaultResolver)
		if err := tell(t, s, activeFact(t)); err == nil {
			t.Errorf("%s was reached", host)
		}
		s.Close()
	}
	if n := len(e.requests()); n != 0 {
		t.Errorf("%d requests came in", n)
	}
}

// TestNewGuardsWhatItDials looks at the whole sender: https to a name that is
// public to the eye and loopback to the resolver.
func TestNewGuardsWhatItDials(t *testing.T) {
	s := newSender(t, func(c *Config) { c.URL = "https://localhost:1/events" })
	if err := tell(t, s, activeFact(t)); !errors.Is(err, errForbidden) {
		t.Errorf("%v, want a forbidden address", err)
	}
	if n := counted(t, s, "envelope.active", "forbidden"); n != 1 {
		t.Errorf("%d counted as forbidden, want 1", n)
	}
	if s.transport.Proxy != nil {
		t.Error("a proxy would hide from the guard what is dialled")
	}
}

func TestNamesThatResolveInsideAreForbidden(t *testing.T) {
	for _, addr := range []string{"127.0.0.1", "10.1.2.3", "169.254.169.254", "100.64.0.1", "::1", "fd00::1", "::ffff:192.168.0.1", "0.0.0.0"} {
		s := newSender(t, func(c *Config) { c.URL = "https://im.example:1/events" })
		s.transport = newTransport(s.cfg.guard(), time.Minute, resolverSaying(t, netip.MustParseAddr(addr)))
		if err := tell(t, s, activeFact(t)); !errors.Is(err, errForbidden) {
			t.Errorf("%s: %v, want a forbidden address", addr, err)
		}
	}
}

// resolverSaying asks a name server of its own, to which every name is addr.
func resolverSaying(t *testing.T, addr netip.Addr) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() {
		defer close(done)
		for query := make([]byte, 512); ; {
			n, from, err := conn.ReadFrom(query)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(dnsAnswer(query[:n], addr), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// dnsAnswer is one record, or none when the question is about the other family.
func dnsAnswer(query []byte, addr netip.Addr) []byte {
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5 // the root label, type and class
	kind := binary.BigEndian.Uint16(query[end-4:])
	answer := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end]...)
	if want := map[bool]uint16{true: 1, false: 28}[addr.Is4()]; kind == want {
		answer[7] = 1
		answer = append(answer, 0xc0, 12, 0, byte(kind), 0, 1, 0, 0, 0, 0, 0, byte(len(addr.AsSlice())))
		answer = append(answer, addr.AsSlice()...)
	}
	return answer
}
