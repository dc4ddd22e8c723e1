package apiv3

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// ClockSkewMax is how far a signed timestamp may be from our clock, either
	// way. It bounds how long a captured message can be replayed.
	ClockSkewMax = 5 * time.Minute
	// stampFieldBytesMax bounds each header of a stamp. A signature of the
	// largest RSA key in use is 684 bytes of base64.
	stampFieldBytesMax = 1024
	// ProbePrefix starts the signatures of the provider's probe traffic, which
	// tests that we do verify. It must never pass.
	ProbePrefix = "WECHATPAY/SIGNTEST/"
)

// Verifier checks stamps. Two keys at once is a rotation in progress.
type Verifier struct {
	Keys map[string]*rsa.PublicKey // by serial or public key ID
	Now  func() time.Time
}

// Verify checks that the provider signed exactly body, within [ClockSkewMax].
// Everything here is public, so nothing needs constant time.
func (v Verifier) Verify(h http.Header, body []byte) error {
	var timestamp, nonce, signature, serial string
	for _, field := range []struct {
		name  string
		value *string
	}{{HeaderTimestamp, &timestamp}, {HeaderNonce, &nonce}, {HeaderSignature, &signature}, {HeaderSerial, &serial}} {
		values := h[field.name]
		if len(values) != 1 || values[0] == "" || len(values[0]) > stampFieldBytesMax {
			return fmt.Errorf("%s: want exactly one, of 1 to %d bytes", field.name, stampFieldBytesMax)
		}
		*field.value = values[0]
	}
	if kind, given := h[HeaderSignatureType]; given && (len(kind) != 1 || kind[0] != Scheme) {
		return fmt.Errorf("%s: want %s", HeaderSignatureType, Scheme)
	}
	if strings.HasPrefix(signature, ProbePrefix) {
		return errors.New("the signature is a probe")
	}
	key, known := v.Keys[serial]
	if !known {
		return fmt.Errorf("no platform key %q", serial)
	}
	if err := checkClock(timestamp, v.Now()); err != nil {
		return err
	}
	return checkSignature(key, signature, []byte(timestamp), []byte(nonce), body)
}

func checkClock(timestamp string, now time.Time) error {
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return errors.New("the timestamp is not a number of seconds")
	}
	if skew := now.Sub(time.Unix(seconds, 0)); skew.Abs() > ClockSkewMax {
		return fmt.Errorf("the timestamp is %v off, want at most %v", skew.Round(time.Second), ClockSkewMax)
	}
	return nil
}
