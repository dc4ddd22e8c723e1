package simulator

import (
	"context"
	"net/http"

	"hongbao/internal/payment/apiv3"
	"hongbao/internal/payment/simulator/lies"
	"hongbao/internal/payment/simulator/wire"
)

const (
	kindCertificates  = "certificates"
	certificateSealed = "certificate" // the associated data
)

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
	return call{Operation: lies.Operation{Kind: kindCertificates}, do: func(context.Context) (any, error) {
		c := s.certificate
		r, err := apiv3.SealResource(s.cfg.APIv3Key, certificateSealed, c.PEM)
		if err != nil {
			return nil, err
		}
		s.certified.Store(true)
		return certificateAnswer{Data: []certificateInfo{{
			Serial: c.Serial, Effective: wire.Time(c.From), Expire: wire.Time(c.Until),
			Encrypted: sealedCertificate{Algorithm: r.Algorithm, Nonce: r.Nonce, AssociatedData: r.AssociatedData, Ciphertext: r.Ciphertext},
		}}}, nil
	}}, nil
}

// under is the serial that an answer is signed under: the one that the request
// names, which authenticate has looked at. SDKs that name none go by certificates
// if they have asked for them.
func (s *Simulator) under(r *http.Request) string {
	switch named := r.Header.Get(apiv3.HeaderSerial); {
	case named == s.certificate.Serial, named == "" && s.certified.Load():
		return s.certificate.Serial
	}
	return s.cfg.PlatformSerial
}
