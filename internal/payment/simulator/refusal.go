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
	errNoOrder    = &refusal{http.StatusNotFound, "ORDER_NOT_EXIST", "订单不存在"}
	errNoRefund   = &refusal{http.StatusNotFound, "RESOURCE_NOT_EXISTS", "退款单不存在"}
	errNoTransfer = &refusal{http.StatusNotFound, "NOT_FOUND", "记录不存在"}
	errClosed     = &refusal{http.StatusBadRequest, "ORDER_CLOSED", "订单已关闭"}
	errPaid       = &refusal{http.StatusBadRequest, "ORDERPAID", "该订单已支付"}
	errApp        = &refusal{http.StatusBadRequest, "APPID_MCHID_NOT_MATCH", "appid和mchid不匹配"}
	errFull       = &refusal{http.StatusInternalServerError, "SYSTEM_ERROR", "the book is full"}
	errSystem     = &refusal{http.StatusInternalServerError, "SYSTEM_ERROR", "系统异常，请用相同参数重试"}
)

func badParameter(why string) error {
	return &refusal{http.StatusBadRequest, "PARAM_ERROR", why}
}

func invalid(why string) error {
	return &refusal{http.StatusBadRequest, "INVALID_REQUEST", why}
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
	return errSystem
}
