package apiv3

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Scheme names the only signature there is: RSA PKCS #1 v1.5 over SHA-256.
const Scheme = "WECHATPAY2-SHA256-RSA2048"

// The headers of a stamp, the signature that the provider puts on every answer
// and notification. HeaderSerial on a request asks for answers under that key.
const (
	HeaderTimestamp     = "Wechatpay-Timestamp"
	HeaderNonce         = "Wechatpay-Nonce"
	HeaderSignature     = "Wechatpay-Signature"
	HeaderSerial        = "Wechatpay-Serial"
	HeaderSignatureType = "Wechatpay-Signature-Type"
)

// RSABitsMin is the smallest modulus that signs or verifies here.
const RSABitsMin = 2048

// digest hashes the lines of a message; every line ends in a newline, the last
// one too.
func digest(lines ...[]byte) []byte {
	h := sha256.New()
	for _, line := range lines {
		h.Write(line)
		h.Write([]byte{'\n'})
	}
	return h.Sum(nil)
}

func sign(key *rsa.PrivateKey, lines ...[]byte) (string, error) {
	raw, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest(lines...))
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}

// checkSignature accepts the one canonical spelling of a signature. The decoder
// alone would also take newlines and stray bits in the padding.
func checkSignature(key *rsa.PublicKey, signature string, lines ...[]byte) error {
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil || base64.StdEncoding.EncodeToString(raw) != signature {
		return errors.New("the signature is not canonical base64")
	}
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, digest(lines...), raw); err != nil {
		return errors.New("the signature does not verify")
	}
	return nil
}

// Stamp signs a body as the provider does and puts the signature into h. The
// serial names the public key that verifies it.
func Stamp(h http.Header, key *rsa.PrivateKey, serial string, at time.Time, body []byte) error {
	timestamp, nonce := unix(at), rand.Text()
	signature, err := sign(key, []byte(timestamp), []byte(nonce), body)
	if err != nil {
		return err
	}
	h.Set(HeaderTimestamp, timestamp)
	h.Set(HeaderNonce, nonce)
	h.Set(HeaderSignature, signature)
	h.Set(HeaderSerial, serial)
	h.Set(HeaderSignatureType, Scheme)
	return nil
}

func unix(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }
