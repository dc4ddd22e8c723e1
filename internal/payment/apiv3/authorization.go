package apiv3

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"
	"time"
)

// authorizationBytesMax bounds an Authorization header before it is parsed.
const authorizationBytesMax = 4096

// Authorization is what a merchant signs a request with: the value of the
// Authorization header.
type Authorization struct {
	MerchantID string
	Serial     string // of the merchant's certificate
	Nonce      string
	Timestamp  string // Unix seconds
	Signature  string // base64
}

// Authorize signs one request. The target is the request URI as it is sent, path
// and query.
func Authorize(key *rsa.PrivateKey, merchantID, serial string, at time.Time, method, target string, body []byte) (Authorization, error) {
	a := Authorization{MerchantID: merchantID, Serial: serial, Nonce: rand.Text(), Timestamp: unix(at)}
	var err error
	a.Signature, err = sign(key, a.lines(method, target, body)...)
	return a, err
}

func (a *Authorization) lines(method, target string, body []byte) [][]byte {
	return [][]byte{[]byte(method), []byte(target), []byte(a.Timestamp), []byte(a.Nonce), body}
}

// String is the value of the header.
func (a Authorization) String() string {
	return fmt.Sprintf(`%s mchid="%s",nonce_str="%s",timestamp="%s",serial_no="%s",signature="%s"`,
		Scheme, a.MerchantID, a.Nonce, a.Timestamp, a.Serial, a.Signature)
}

// Verify checks that the holder of key signed this request within
// [ClockSkewMax] of now.
func (a Authorization) Verify(key *rsa.PublicKey, now time.Time, method, target string, body []byte) error {
	if err := checkClock(a.Timestamp, now); err != nil {
		return err
	}
	return checkSignature(key, a.Signature, a.lines(method, target, body)...)
}

// ParseAuthorization reads the header's value: all five parameters, each once,
// in any order, and nothing else.
func ParseAuthorization(header string) (Authorization, error) {
	if len(header) > authorizationBytesMax {
		return Authorization{}, fmt.Errorf("authorization: want at most %d bytes, have %d", authorizationBytesMax, len(header))
	}
	rest, ok := strings.CutPrefix(header, Scheme+" ")
	if !ok {
		return Authorization{}, errors.New("authorization: want the scheme " + Scheme)
	}
	var a Authorization
	for rest != "" {
		name, value, tail, err := cutParameter(rest)
		if err != nil {
			return Authorization{}, err
		}
		field := a.field(name)
		if field == nil || *field != "" {
			return Authorization{}, fmt.Errorf("authorization: parameter %q is unknown or comes twice", name)
		}
		*field, rest = value, tail
	}
	if a.MerchantID == "" || a.Serial == "" || a.Nonce == "" || a.Timestamp == "" || a.Signature == "" {
		return Authorization{}, errors.New("authorization: want mchid, nonce_str, timestamp, serial_no and signature")
	}
	return a, nil
}

// cutParameter takes name="value" off the front, with the comma after it. A
// value has no quotes and no escapes.
func cutParameter(s string) (name, value, tail string, err error) {
	name, rest, ok := strings.Cut(s, `="`)
	if ok {
		value, tail, ok = strings.Cut(rest, `"`)
	}
	if !ok || value == "" {
		return "", "", "", errors.New(`authorization: want name="value" parameters`)
	}
	if tail == "" {
		return name, value, "", nil
	}
	tail, ok = strings.CutPrefix(tail, ",")
	if !ok || tail == "" {
		return "", "", "", errors.New("authorization: want one comma between parameters")
	}
	return name, value, tail, nil
}

func (a *Authorization) field(name string) *string {
	switch name {
	case "mchid":
		return &a.MerchantID
	case "serial_no":
		return &a.Serial
	case "nonce_str":
		return &a.Nonce
	case "timestamp":
		return &a.Timestamp
	case "signature":
		return &a.Signature
	}
	return nil
}
