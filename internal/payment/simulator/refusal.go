package simulator

import (
	"errors"
	"net/http"
)

// refusal is a no in the provider's form.
type refusal struct {
	status  int
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (r *refusal) Error() string { return r.Code + ": " + r.Message }

// The refusals that more than one place gives. They are values, never changed.
var (
	errNoOrder = &refusal{http.StatusNotFound, "ORDER_NOT_EXIST", "订单不存在"}
	errClosed  = &refusal{http.StatusBadRequest, "ORDER_CLOSED", "订单已关闭"}
)

func badParameter(why string) error {
	return &refusal{http.StatusBadRequest, "PARAM_ERROR", why}
}

func unauthorized(why string) error {
	return &refusal{http.StatusUnauthorized, "SIGN_ERROR", why}
}

// asRefusal makes any other error the provider's system error, which a caller
// takes for an unknown outcome.
func asRefusal(err error) *refusal {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	return &refusal{http.StatusInternalServerError, "SYSTEM_ERROR", "系统异常，请用相同参数重试"}
}
