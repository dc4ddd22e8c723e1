package simulator

import (
	"fmt"
	"io"
	"net/http"

	"github.com/go-json-experiment/json"

	"hongbao/internal/payment"
)

// requestBytesMax bounds the body of a request.
const requestBytesMax = 64 << 10

// endpoint answers an authentic request of the merchant. Its answer is marshalled;
// an error that is no refusal is a system error.
type endpoint func(r *http.Request, body []byte) (any, error)

// signed verifies requests on their way in and signs answers on their way out.
func (s *Simulator) signed(e endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := s.authenticate(w, r)
		var value any
		if err == nil {
			value, err = e(r, body)
		}
		status := http.StatusOK
		if err != nil {
			refused := asRefusal(err)
			status, value = refused.status, refused
			s.cfg.Log.Debug("refused", "method", r.Method, "path", r.URL.Path, "err", err)
		}
		s.answer(w, status, value)
	})
}

func (s *Simulator) answer(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err == nil {
		err = payment.Stamp(w.Header(), s.cfg.PlatformKey, s.cfg.PlatformSerial, s.cfg.Now(), body)
	}
	if err != nil {
		s.cfg.Log.Error("answer", "err", err)
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body) // whoever hung up asks again
}

// authenticate returns the raw body once the merchant's signature over it holds.
func (s *Simulator) authenticate(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, requestBytesMax))
	if err != nil {
		return nil, badParameter(fmt.Sprintf("want a whole body of at most %d bytes", requestBytesMax))
	}
	headers := r.Header.Values("Authorization")
	if len(headers) != 1 {
		return nil, unauthorized("Http头缺少Authorization或重复")
	}
	auth, err := payment.ParseAuthorization(headers[0])
	if err != nil {
		return nil, unauthorized(err.Error())
	}
	if auth.MerchantID != s.cfg.MerchantID || auth.Serial != s.cfg.MerchantSerial {
		return nil, unauthorized("商户号或证书序列号错误")
	}
	if err := auth.Verify(s.cfg.MerchantKey, s.cfg.Now(), r.Method, r.RequestURI, body); err != nil {
		return nil, unauthorized(err.Error())
	}
	if want := r.Header.Get(payment.HeaderSerial); want != "" && want != s.cfg.PlatformSerial {
		return nil, badParameter(payment.HeaderSerial + ": no such platform key")
	}
	return body, nil
}

func noSuchCall(*http.Request, []byte) (any, error) {
	return nil, &refusal{http.StatusNotFound, "RESOURCE_NOT_EXISTS", "接口不存在"}
}
