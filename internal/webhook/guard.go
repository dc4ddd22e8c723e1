package webhook

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// errForbidden refuses an address before a packet goes there.
var errForbidden = errors.New("this address may not be dialled")

// shared is what carriers and clusters number their inside with (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")

// unicast6 is all of IPv6 that is given out to networks. Outside of it are the
// private, link-local, multicast and IPv4-embedding ranges, and what is not assigned.
var unicast6 = netip.MustParsePrefix("2000::/3")

// reserved is the rest that IANA's special-purpose registries take from what
// would otherwise be public.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network; Linux takes 0.0.0.0 for loopback
	netip.MustParsePrefix("169.254.0.0/16"),  // link-local, cloud metadata
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("192.88.99.0/24"),  // 6to4 relays
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("224.0.0.0/4"),     // multicast
	netip.MustParsePrefix("240.0.0.0/4"),     // future use, broadcast
	netip.MustParsePrefix("2001::/23"),       // protocol assignments, Teredo
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("2002::/16"),       // 6to4: any IPv4 address in disguise
	netip.MustParsePrefix("3fff::/20"),       // documentation
}

// guard says which addresses may be dialled. It is asked about each address
// itself, after names are resolved, so a name that resolves to something else the
// second time gains nothing.
type guard struct {
	allowPrivate bool
	clear        bool // what is sent is not encrypted, so it stays in the house
}

func (g guard) check(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("") // IPv4 in IPv6 is the IPv4 address
	inside := addr.IsLoopback() || addr.IsPrivate() || shared.Contains(addr)
	public := (addr.Is4() || unicast6.Contains(addr)) && !slices.ContainsFunc(reserved, func(p netip.Prefix) bool { return p.Contains(addr) })
	switch {
	case inside && g.allowPrivate:
		return nil
	case inside || !public:
		return fmt.Errorf("%w: %s is not public", errForbidden, addr)
	case g.clear:
		return fmt.Errorf("%w: %s is public, want https", errForbidden, addr)
	}
	return nil
}

// control is called by the dialer with the address that a socket is about to
// connect to.
func (g guard) control(_, address string, _ syscall.RawConn) error {
	dialled, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %w", errForbidden, err)
	}
	return g.check(dialled.Addr())
}
