package simulator

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"

	"hongbao/internal/payment/apiv3"
)

const (
	certificateYears  = 5
	serialBytes       = 20
	kindCertificates  = "certificates"
	certificateSealed = "certificate" // the associated data
)

// certificate is the platform's, for SDKs that verify with one instead of a public
// key. It is of the platform's only key, and says the same in every life of a year.
type certificate struct {
	serial      string
	pem         []byte
	from, until time.Time
}

func newCertificate(key *rsa.PrivateKey, now time.Time) (*certificate, error) {
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(public)
	sum[0] = sum[0]&0x3f | 0x40 // positive, and as long as all serials are
	from := time.Date(now.UTC().Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	c := &certificate{from: from, until: from.AddDate(certificateYears, 0, 0)}
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(sum[:serialBytes]), Subject: pkix.Name{CommonName: "Simulated payment platform"},
		NotBefore: c.from, NotAfter: c.until, KeyUsage: x509.KeyUsageDigitalSignature,
		SignatureAlgorithm: x509.SHA256WithRSA,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	c.serial = strings.ToUpper(fmt.Sprintf("%x", sum[:serialBytes]))
	c.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return c, nil
}

// certificateAnswer is the platform's certificates in the provider's words.
type certificateAnswer struct {
	Data []certificateInfo `json:"data"`
}

type certificateInfo struct {
	Serial    string            `json:"serial_no"`
	Effective string            `json:"effective_time"`
	Expire    string            `json:"expire_time"`
	Encrypted sealedCertificate `json:"encrypt_certificate"`
}

type sealedCertificate struct {
	Algorithm      string `json:"algorithm"`
	Nonce          string `json:"nonce"`
	AssociatedData string `json:"associated_data"`
	Ciphertext     string `json:"ciphertext"`
}

// certificates gives what answers are verified with, sealed under the APIv3 key.
func (s *Simulator) certificates(*http.Request, []byte) (call, error) {
	return call{operation: operation{kind: kindCertificates}, do: func(context.Context) (any, error) {
		c := s.certificate
		r, err := apiv3.SealResource(s.cfg.APIv3Key, certificateSealed, c.pem)
		if err != nil {
			return nil, err
		}
		s.certified.Store(true)
		return certificateAnswer{Data: []certificateInfo{{
			Serial: c.serial, Effective: wireTime(c.from), Expire: wireTime(c.until),
			Encrypted: sealedCertificate{Algorithm: r.Algorithm, Nonce: r.Nonce, AssociatedData: r.AssociatedData, Ciphertext: r.Ciphertext},
		}}}, nil
	}}, nil
}

// under is the serial that an answer is signed under: the one that the request
// names, which authenticate has looked at. SDKs that name none go by certificates
// if they have asked for them.
func (s *Simulator) under(r *http.Request) string {
	switch named := r.Header.Get(apiv3.HeaderSerial); {
	case named == s.certificate.serial, named == "" && s.certified.Load():
		return s.certificate.serial
	}
	return s.cfg.PlatformSerial
}
