package certificate

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"time"
)

const (
	certificateYears = 5
	SerialBytes      = 20
)

// Certificate is the platform's, for SDKs that verify with one instead of a public
// key. It is of the platform's only key, and says the same in every life of a year.
type Certificate struct {
	Serial      string
	PEM         []byte
	From, Until time.Time
}

// New makes the certificate of key, valid from the start of the year.
func New(key *rsa.PrivateKey, now time.Time) (*Certificate, error) {
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(public)
	sum[0] = sum[0]&0x3f | 0x40 // positive, and as long as all serials are
	from := time.Date(now.UTC().Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	c := &Certificate{From: from, Until: from.AddDate(certificateYears, 0, 0)}
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(sum[:SerialBytes]), Subject: pkix.Name{CommonName: "Simulated payment platform"},
		NotBefore: c.From, NotAfter: c.Until, KeyUsage: x509.KeyUsageDigitalSignature,
		SignatureAlgorithm: x509.SHA256WithRSA,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	c.Serial = strings.ToUpper(fmt.Sprintf("%x", sum[:SerialBytes]))
	c.PEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return c, nil
}
