package simulator

import (
	"errors"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// refusal is a no in the provider's form.
type refusal struct {
	status  int
	Code    string  `json:"code"`
	Message string  `json:"message"`
	Detail  *detail `json:"detail,omitzero"`
}

// detail is where a request is wrong, and how.
type detail struct {
	Field    string `json:"field"`           // of a body a JSON pointer, elsewhere a name
	Value    any    `json:"value,omitempty"` // what is there, as far as it is short
	Issue    string `json:"issue"`
	Location string `json:"location"`
}

// The places in a request.
const (
	inBody          = "body"
	inQuery         = "query"
	inHeader        = "header"
	inAuthorization = "authorization"
)

// valueBytesMax bounds how much of a wrong value is said back.
const valueBytesMax = 64

func (r *refusal) Error() string { return r.Code + ": " + r.Message }

func refuse(status int, code, message string) *refusal {
	return &refusal{status: status, Code: code, Message: message}
}

// The refusals that more than one place gives. They are values, never changed.
var (
	errNoOrder    = refuse(http.StatusNotFound, "ORDER_NOT_EXIST", "订单不存在")
	errNoRefund   = refuse(http.StatusNotFound, "RESOURCE_NOT_EXISTS", "退款单不存在")
	errNoTransfer = refuse(http.StatusNotFound, "NOT_FOUND", "记录不存在")
	errClosed     = refuse(http.StatusBadRequest, "ORDER_CLOSED", "订单已关闭")
	errPaid       = refuse(http.StatusBadRequest, "ORDERPAID", "该订单已支付")
	errApp        = refuse(http.StatusBadRequest, "APPID_MCHID_NOT_MATCH", "appid和mchid不匹配")
	errFull       = refuse(http.StatusInternalServerError, "SYSTEM_ERROR", "the book is full")
	errSystem     = refuse(http.StatusInternalServerError, "SYSTEM_ERROR", "系统异常，请用相同参数重试")
)

// badField refuses a member of the body, by its JSON pointer.
func badField(pointer string, value any, issue string) error {
	return badParameter(detail{Field: pointer, Value: value, Issue: issue, Location: inBody})
}

// badQuery refuses a parameter of the address.
func badQuery(name, value, issue string) error {
	return badParameter(detail{Field: name, Value: value, Issue: issue, Location: inQuery})
}

func badParameter(d detail) error {
	if text, ok := d.Value.(string); ok && len(text) > valueBytesMax {
		d.Value = strings.ToValidUTF8(text[:valueBytesMax], "") + "…"
	}
	r := refuse(http.StatusBadRequest, "PARAM_ERROR", d.Issue)
	if name := strings.TrimPrefix(d.Field, "/"); name != "" {
		r.Message = name + ": " + d.Issue
	}
	r.Detail = &d
	return r
}

func invalid(why string) error { return refuse(http.StatusBadRequest, "INVALID_REQUEST", why) }

func unauthorized(why string) error {
	r := refuse(http.StatusUnauthorized, "SIGN_ERROR", why)
	r.Detail = &detail{Field: "signature", Issue: why, Location: inAuthorization}
	return r
}

// asRefusal makes any other error the provider's system error, which a caller
// takes for an unknown outcome.
func asRefusal(err error) *refusal {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	return errSystem
}

// read reads a document that says nothing twice. What it says besides what is
// asked is not looked at: SDKs send much that matters elsewhere.
func read(body []byte, into any) error {
	return explained(json.Unmarshal(body, into), body)
}

// explained says what is wrong with a document in the sender's terms: what its
// reader is made of is none of the sender's business.
func explained(err error, body []byte) error {
	if err == nil {
		return nil
	}
	if bad, ok := errors.AsType[*json.SemanticError](err); ok {
		if errors.Is(bad.Err, json.ErrUnknownName) {
			return badField(string(bad.JSONPointer), nil, "is unknown")
		}
		return badField(string(bad.JSONPointer), valueAt(body, bad.JSONPointer), "want "+wanted(bad.GoType))
	}
	if bad, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(bad.Err, jsontext.ErrDuplicateName) {
			return badField(string(bad.JSONPointer), nil, "comes twice")
		}
		return badField(string(bad.JSONPointer), nil, "the body is not JSON")
	}
	return badField("", nil, "the body can not be read")
}

// valueAt is the number, the text or the truth at a pointer; nil is anything else.
func valueAt(body []byte, pointer jsontext.Pointer) any {
	var value any
	if json.Unmarshal(body, &value) != nil {
		return nil
	}
	for token := range pointer.Tokens() {
		switch outer := value.(type) {
		case map[string]any:
			value = outer[token]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(outer) {
				return nil
			}
			value = outer[i]
		default:
			return nil
		}
	}
	switch value.(type) {
	case string, float64, bool:
		return value
	}
	return nil
}

// wanted is what can be read into a type.
func wanted(t reflect.Type) string {
	if t == nil {
		return "another value"
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return "a whole number within its range"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Pointer:
		return wanted(t.Elem())
	}
	return "another value"
}
