package settings_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hongbao/internal/settings"
)

// FS18
func TestARemoteOperatorsListenerWantsTLS(t *testing.T) {
	pair := settings.TLSFiles{CertFile: "op.pem", KeyFile: "op.key"}
	keys := []settings.TokenKey{{KeyID: "ops", Algorithm: "HS256", File: "im-1.key", Person: "ann"}}
	for _, addr := range []string{"0.0.0.0:8081", ":8081", "[::]:8081", "10.1.2.3:8081", "203.0.113.9:8081", "ops.internal:8081", "127.0.0.1.example:8081", "[2001:db8::1]:8081"} {
		for name, c := range map[string]struct {
			tls  settings.TLSFiles
			keys []settings.TokenKey
			want string
		}{
			"bare":        {settings.TLSFiles{}, nil, "listen.operator_tls"},
			"tokens only": {settings.TLSFiles{}, keys, "listen.operator_tls"},
			"TLS only":    {pair, nil, "keys.operators"},
			"both":        {pair, keys, ""},
		} {
			d := newDeployment(t)
			d.Listen.Operator, d.Listen.OperatorTLS, d.Keys.Operators = addr, c.tls, c.keys
			_, err := d.load(t)
			if c.want == "" && err != nil {
				t.Errorf("%s, %s: %v", addr, name, err)
			} else if c.want != "" {
				wantError(t, addr+", "+name, err, "listen.operator", c.want)
			}
			if d.Environment = settings.Drill; c.want != "" {
				if _, err := d.load(t); err != nil {
					t.Errorf("%s, %s in a drill: %v", addr, name, err)
				}
			}
		}
	}
	for _, addr := range []string{"127.0.0.1:8081", "127.9.9.9:8081", "localhost:8081", "[::1]:8081"} {
		d := newDeployment(t)
		d.Listen.Operator = addr
		if _, err := d.load(t); err != nil {
			t.Errorf("%s: %v", addr, err)
		}
	}
	d := newDeployment(t)
	d.Listen.OperatorTLS.CertFile = "op.pem"
	_, err := d.load(t)
	wantError(t, "a certificate without its key", err, "listen.operator_tls")
	d = newDeployment(t)
	d.Listen.OperatorHosts = []string{"ops.internal", "https://ops.internal"}
	_, err = d.load(t)
	wantError(t, "a host that is a URL", err, "listen.operator_hosts[1]")
}

// certify writes a certificate for a name that is not the listener's, signed by itself.
func (d *deployment) certify(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "ops"}, DNSNames: []string{"ops.internal"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{"op.pem": {Type: "CERTIFICATE", Bytes: cert}, "op.key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(d.dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheOperatorsListenerSpeaksTLS(t *testing.T) {
	d := newDeployment(t)
	d.Listen.OperatorTLS = settings.TLSFiles{CertFile: "op.pem", KeyFile: "op.key"}
	_, err := d.mustLoad(t).OperatorTLS()
	wantError(t, "files that are not there", err, "listen.operator_tls", "op.")
	d.certify(t)
	s := d.mustLoad(t)
	conf, err := s.OperatorTLS()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Listener = tls.NewListener(server.Listener, conf)
	server.Start()
	defer server.Close()
	ask := func(s *settings.Settings) error {
		trust, err := s.OperatorClientTLS()
		if err != nil {
			t.Fatal(err)
		}
		c := &http.Client{Transport: &http.Transport{TLSClientConfig: trust, DisableKeepAlives: true}}
		res, err := c.Get("https://" + server.Listener.Addr().String())
		if err == nil {
			res.Body.Close()
		}
		return err
	}
	if err := ask(s); err != nil {
		t.Errorf("with the settings' certificate: %v", err)
	}
	other := newDeployment(t)
	other.Listen.OperatorTLS = d.Listen.OperatorTLS
	other.certify(t)
	if err := ask(other.mustLoad(t)); err == nil {
		t.Error("another certificate was trusted")
	}
	d.certify(t) // a new one, without a restart
	if err := ask(d.mustLoad(t)); err != nil {
		t.Errorf("with the certificate that took its place: %v", err)
	}
	if err := os.Remove(filepath.Join(d.dir, "op.key")); err != nil {
		t.Fatal(err)
	}
	if err := ask(d.mustLoad(t)); err != nil {
		t.Errorf("while the files are being replaced: %v", err)
	}
}

func TestLocalProgramsReachOperatorListener(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:8081": "http://127.0.0.1:8081", "0.0.0.0:8081": "http://127.0.0.1:8081", ":8081": "http://127.0.0.1:8081",
		"[::]:8081": "http://127.0.0.1:8081", "ops.internal:8081": "http://ops.internal:8081", "[::1]:8081": "http://[::1]:8081",
	} {
		s := &settings.Settings{Listen: settings.Listen{Operator: addr}}
		if got := s.OperatorURL(); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
		s.Listen.OperatorTLS.CertFile = "op.pem"
		if got := s.OperatorURL(); got != "https"+want[4:] {
			t.Errorf("%s with TLS: %s", addr, got)
		}
	}
}
