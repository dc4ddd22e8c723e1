package simulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/go-json-experiment/json"

	"hongbao/internal/payment/apiv3"
	"hongbao/internal/payment/simulator/lies"
	"hongbao/internal/payment/simulator/refusal"
)

// requestBytesMax bounds the body of a request.
const requestBytesMax = 64 << 10

// call is a request that was understood.
type call struct {
	lies.Operation
	changes bool // it asks for something to be done, so it may be done otherwise than it is answered
	do      func(ctx context.Context) (any, error)
}

// endpoint understands an authentic request of the merchant. The answer of its
// call is marshalled; nil is 204. An error that is no refusal is a system error.
type endpoint func(r *http.Request, body []byte) (call, error)

// What a call may come to besides an answer and a refusal.
var (
	errSilence = errors.New("no answer at all")
	errOutage  = errors.New("out of service")
)

// signed verifies requests on their way in and signs answers on their way out.
func (s *Simulator) signed(understand endpoint) http.Handler {
	return s.signedUpTo(requestBytesMax, understand)
}

func (s *Simulator) signedUpTo(bytesMax int64, understand endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var c call
		var value any
		body, err := s.authenticate(w, r, bytesMax)
		if err == nil {
			c, err = understand(r, body)
		}
		if err == nil {
			value, err = s.perform(r.Context(), &c)
		}
		switch {
		case errors.Is(err, errSilence):
			s.silence(r.Context())
		case errors.Is(err, errOutage):
			http.Error(w, "Service Unavailable", http.StatusServiceUnavailable)
		case err != nil:
			refused := refusal.Of(err)
			s.cfg.Log.Debug("refused", "request_id", w.Header().Get(headerRequestID), "method", r.Method, "path", r.URL.Path, "error", err)
			s.answer(w, r, refused.Status, refused, c.Operation)
		case value == nil:
			s.answer(w, r, http.StatusNoContent, nil, c.Operation)
		default:
			s.answer(w, r, http.StatusOK, value, c.Operation)
		}
	})
}

// answer signs and sends, unless a lie is about the signature. A request that was
// not understood is answered truly.
func (s *Simulator) answer(w http.ResponseWriter, r *http.Request, status int, value any, about lies.Operation) {
	var body []byte
	var err error
	if value != nil {
		body, err = json.Marshal(value)
	}
	if err == nil {
		var told lies.Lie
		if about.Kind != "" {
			told, _ = s.liar.Tell(about, lies.UnsignedAnswer, lies.WronglySigned)
		}
		switch told {
		case lies.UnsignedAnswer:
		case lies.WronglySigned:
			err = s.stamp(w.Header(), s.under(r), append([]byte("another "), body...))
		default:
			err = s.stamp(w.Header(), s.under(r), body)
		}
	}
	if err != nil {
		s.cfg.Log.Error("answer", "error", err)
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	if value != nil {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that hung up asks again
}

func (s *Simulator) stamp(h http.Header, serial string, body []byte) error {
	return apiv3.Stamp(h, s.cfg.PlatformKey, serial, s.cfg.Now(), body)
}

// authenticate returns the raw body once the merchant's signature over it holds.
func (s *Simulator) authenticate(w http.ResponseWriter, r *http.Request, bytesMax int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bytesMax))
	if err != nil {
		return nil, refusal.BadField("", nil, fmt.Sprintf("want a whole body of at most %d bytes", bytesMax))
	}
	headers := r.Header.Values("Authorization")
	if len(headers) != 1 {
		return nil, refusal.Unauthorized("Http头缺少Authorization或重复")
	}
	auth, err := apiv3.ParseAuthorization(headers[0])
	if err != nil {
		return nil, refusal.Unauthorized(err.Error())
	}
	if auth.MerchantID != s.cfg.MerchantID || auth.Serial != s.cfg.MerchantSerial {
		return nil, refusal.Unauthorized("商户号或证书序列号错误")
	}
	if err := auth.Verify(s.cfg.MerchantKey, s.cfg.Now(), r.Method, r.RequestURI, body); err != nil {
		return nil, refusal.Unauthorized(err.Error())
	}
	if want := r.Header.Get(apiv3.HeaderSerial); want != "" && want != s.cfg.PlatformSerial && want != s.certificate.Serial {
		return nil, refusal.BadParameter(refusal.Detail{Field: apiv3.HeaderSerial, Value: want, Issue: "no such platform key", Location: refusal.InHeader})
	}
	return body, nil
}

func noSuchCall(*http.Request, []byte) (call, error) {
	return call{}, refusal.New(http.StatusNotFound, "RESOURCE_NOT_EXISTS", "接口不存在")
}
