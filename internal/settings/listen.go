package settings

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"hongbao/internal/httpapi"
)

// Listen holds the addresses of the two listeners, host:port, and how their
// connections end. Zero keeps a default.
type Listen struct {
	Public   string `yaml:"public" env:"HONGBAO_LISTEN_PUBLIC"`
	Operator string `yaml:"operator" env:"HONGBAO_LISTEN_OPERATOR"` // loopback, or with TLS and keys.operators
	// OperatorHosts are names that requests to the operator's listener may be for,
	// beside loopback names and the address itself.
	OperatorHosts []string `yaml:"operator_hosts,omitempty"`
	OperatorTLS   TLSFiles `yaml:"operator_tls,omitempty"`
	// ConnectionsMax bounds the public connections: default 10000; more wait.
	// ConnectionsPerAddressMax bounds those of one client address, of IPv6 one /64:
	// default half of all; more are closed at once. A proxy is one address: give it
	// as many as it keeps open. Where clients connect directly, 100 is plenty.
	ConnectionsMax           int `yaml:"connections_max,omitempty"`
	ConnectionsPerAddressMax int `yaml:"connections_per_address_max,omitempty"`
	// DrainNotice is for how long after SIGTERM requests are still served while
	// readyz says draining, so that balancers turn away first. Default 5s.
	DrainNotice time.Duration `yaml:"drain_notice,omitempty" env:"HONGBAO_LISTEN_DRAIN_NOTICE"`
	// Idle is for how long a connection without a request is kept. It has to be
	// longer than the proxies in front keep theirs. Default 75s.
	Idle time.Duration `yaml:"idle,omitempty" env:"HONGBAO_LISTEN_IDLE"`
}

// TLSFiles are a certificate with its chain and its key, in PEM. They are read
// again at every handshake: replace them and they are used.
type TLSFiles struct {
	CertFile string `yaml:"cert_file,omitempty"`
	KeyFile  string `yaml:"key_file,omitempty"`
}

func (s *Settings) listenMistakes() (found []error) {
	wrong := func(format string, args ...any) { found = append(found, fmt.Errorf(format, args...)) }
	l := &s.Listen
	found = append(found, l.connectionMistakes()...)
	if l.Public != "" && l.Public == l.Operator {
		wrong("listen.operator: must not be the public address")
	}
	if (l.OperatorTLS.CertFile == "") != (l.OperatorTLS.KeyFile == "") {
		wrong("listen.operator_tls: wants cert_file and key_file, or neither")
	}
	for i, host := range l.OperatorHosts {
		if host == "" || strings.ContainsAny(host, "/ *@") {
			wrong("listen.operator_hosts[%d]: want a host name or address, have %q", i, host)
		}
	}
	if s.Environment != Production || l.Operator == "" || isLoopback(l.Operator) {
		return found
	}
	if l.OperatorTLS.CertFile == "" {
		wrong("listen.operator: %s is no loopback address: in production that wants listen.operator_tls", l.Operator)
	}
	if len(s.Keys.Operators) == 0 {
		wrong("listen.operator: %s is no loopback address: in production that wants keys.operators", l.Operator)
	}
	return found
}

// isLoopback: an address that only this machine reaches. Names are not resolved:
// what they mean can change.
func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.Unmap().IsLoopback()
}

// OperatorTLS is what the operator's listener speaks TLS with; nil: it does not.
func (s *Settings) OperatorTLS() (*tls.Config, error) {
	if s.Listen.OperatorTLS.CertFile == "" {
		return nil, nil
	}
	pair, err := s.operatorPair()
	if err != nil {
		return nil, err
	}
	var last atomic.Pointer[tls.Certificate] // good one: files are not replaced in one step
	last.Store(pair)
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			if pair, err := s.operatorPair(); err == nil {
				last.Store(pair)
			}
			return last.Load(), nil
		},
	}, nil
}

func (s *Settings) operatorPair() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(s.Path(s.Listen.OperatorTLS.CertFile), s.Path(s.Listen.OperatorTLS.KeyFile))
	if err != nil {
		return nil, fmt.Errorf("settings: listen.operator_tls: %w", err)
	}
	return &pair, nil
}

// OperatorURL is where programs on this machine reach the operator's listener.
func (s *Settings) OperatorURL() string {
	scheme := "http://"
	if s.Listen.OperatorTLS.CertFile != "" {
		scheme = "https://"
	}
	host, port, err := net.SplitHostPort(s.Listen.Operator)
	if addr, bad := netip.ParseAddr(host); err == nil && (host == "" || bad == nil && addr.IsUnspecified()) {
		return scheme + net.JoinHostPort("127.0.0.1", port)
	}
	return scheme + s.Listen.Operator
}

// OperatorClientTLS is what these programs trust there: the certificate of the
// settings, whatever name it is for, and no other. nil: the listener has no TLS.
func (s *Settings) OperatorClientTLS() (*tls.Config, error) {
	if s.Listen.OperatorTLS.CertFile == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(s.Path(s.Listen.OperatorTLS.CertFile))
	if err != nil {
		return nil, fmt.Errorf("settings: listen.operator_tls.cert_file: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(raw) {
		return nil, fmt.Errorf("settings: listen.operator_tls.cert_file: %s holds no certificate", s.Listen.OperatorTLS.CertFile)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: roots,
		// The name is not the question: the chain is held to the settings' own.
		InsecureSkipVerify: true,
		VerifyConnection: func(c tls.ConnectionState) error {
			chain := x509.NewCertPool()
			for _, cert := range c.PeerCertificates[1:] {
				chain.AddCert(cert)
			}
			_, err := c.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: chain})
			return err
		},
	}, nil
}

// connectionsMax bounds what can be set: more than a process can have files open.
const connectionsMax = 1_000_000

func (l *Listen) connectionMistakes() (found []error) {
	all := l.ConnectionsMax
	if all == 0 {
		all = httpapi.DefaultConnectionsMax
	}
	if all < 1 || all > connectionsMax {
		found = append(found, fmt.Errorf("listen.connections_max: want 1 to %d, have %d", connectionsMax, all))
	}
	if l.ConnectionsPerAddressMax < 0 || l.ConnectionsPerAddressMax > all {
		found = append(found, fmt.Errorf("listen.connections_per_address_max: want 1 to connections_max (%d), have %d", all, l.ConnectionsPerAddressMax))
	}
	return found
}
