package settings

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// Databases is how all database servers are connected to: those of the SETs and
// those of users' books, under every account.
type Databases struct {
	TLS    string `yaml:"tls,omitempty" env:"HONGBAO_DATABASES_TLS"` // required or verify; default: in the clear
	CAFile string `yaml:"ca_file,omitempty"`                         // for verify, PEM; default: the system's authorities
}

// How connections to databases are encrypted.
const (
	TLSRequired = "required" // by whatever certificate the server has: keeps readers out, not an impostor
	TLSVerify   = "verify"   // the certificate is one of the authority's, for the host of the address
)

func (d Databases) validate() error {
	switch d.TLS {
	case "", TLSRequired, TLSVerify:
	default:
		return fmt.Errorf("databases.tls: must be %s or %s, have %q", TLSRequired, TLSVerify, d.TLS)
	}
	if d.CAFile != "" && d.TLS != TLSVerify {
		return fmt.Errorf("databases.ca_file: is read with databases.tls: %s only", TLSVerify)
	}
	return nil
}

// DSN names a database for the Go driver, under an account and as encrypted as the
// settings ask. The authority of ca_file does not fit into it: a program that reads
// the DSN has to trust that file too.
func (d Databases) DSN(user, password, addr, database string) string {
	return fmt.Sprintf("%s:%s@tcp(%s)/%s", user, password, addr, database) +
		map[string]string{TLSRequired: "?tls=skip-verify", TLSVerify: "?tls=true"}[d.TLS]
}

// databaseTLS is what a connection to a database is encrypted with; nil is nothing.
func (s *Settings) databaseTLS() (*tls.Config, error) {
	switch s.Databases.TLS {
	case TLSRequired:
		return &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, nil
	case TLSVerify:
		roots, err := s.databaseRoots()
		return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, err
	}
	return nil, nil
}

// databaseRoots are the authorities that a server's certificate may be of; nil is
// those of the system.
func (s *Settings) databaseRoots() (*x509.CertPool, error) {
	if s.Databases.CAFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(s.Path(s.Databases.CAFile))
	if err != nil {
		return nil, fmt.Errorf("settings: databases.ca_file: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("settings: databases.ca_file: want certificates in PEM")
	}
	return roots, nil
}
