package refusal

import (
	"errors"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Refusal is an error in the provider's form.
type Refusal struct {
	Status  int     `json:"-"` // of HTTP
	Code    string  `json:"code"`
	Message string  `json:"message"`
	Detail  *Detail `json:"detail,omitzero"`
}

// Detail is where a request is wrong, and how.
type Detail struct {
	Field    string `json:"field"`           // of a body a JSON pointer, elsewhere a name
	Value    any    `json:"value,omitempty"` // what is there, as far as it is short
	Issue    string `json:"issue"`
	Location string `json:"location"`
}

// The places in a request.
const (
	InBody          = "body"
	InQuery         = "query"
	InHeader        = "header"
	inAuthorization = "authorization"
)

// valueBytesMax bounds how much of a wrong value is said back.
const valueBytesMax = 64

func (r *Refusal) Error() string { return r.Code + ": " + r.Message }

// New refuses with a code of the provider and its message.
func New(status int, code, message string) *Refusal {
	return &Refusal{Status: status, Code: code, Message: message}
}

// The refusals that more than one place gives. They are values, never changed.
var (
	ErrNoOrder  = New(http.StatusNotFound, "ORDER_NOT_EXIST", "订单不存在")
	ErrNoRefund = New(http.StatusNotFound, "RESOURCE_NOT_EXISTS", "退款单不存在")
	// ErrNoCharge is to a refund what ErrNoOrder is to a query.
	ErrNoCharge   = New(http.StatusNotFound, "RESOURCE_NOT_EXISTS", "订单不存在")
	ErrNoTransfer = New(http.StatusNotFound, "NOT_FOUND", "记录不存在")
	ErrClosed     = New(http.StatusBadRequest, "ORDER_CLOSED", "订单已关闭")
	ErrPaid       = New(http.StatusBadRequest, "ORDERPAID", "该订单已支付")
	ErrApp        = New(http.StatusBadRequest, "APPID_MCHID_NOT_MATCH", "appid和mchid不匹配")
	ErrFull       = New(http.StatusInternalServerError, "SYSTEM_ERROR", "the book is full")
	ErrSystem     = New(http.StatusInternalServerError, "SYSTEM_ERROR", "系统异常，请用相同参数重试")
)

// BadField refuses a member of the body, by its JSON pointer.
func BadField(pointer string, value any, issue string) error {
	return BadParameter(Detail{Field: pointer, Value: value, Issue: issue, Location: InBody})
}

// BadQuery refuses a parameter of the address.
func BadQuery(name, value, issue string) error {
	return BadParameter(Detail{Field: name, Value: value, Issue: issue, Location: InQuery})
}

// BadParameter refuses what d is about.
func BadParameter(d Detail) error {
	if text, ok := d.Value.(string); ok && len(text) > valueBytesMax {
		d.Value = strings.ToValidUTF8(text[:valueBytesMax], "") + "…"
	}
	r := New(http.StatusBadRequest, "PARAM_ERROR", d.Issue)
	if name := strings.TrimPrefix(d.Field, "/"); name != "" {
		r.Message = name + ": " + d.Issue
	}
	r.Detail = &d
	return r
}

// Invalid refuses what is well formed and contradicts what is known.
func Invalid(why string) error { return New(http.StatusBadRequest, "INVALID_REQUEST", why) }

// Unauthorized refuses a request whose signature does not hold.
func Unauthorized(why string) error {
	r := New(http.StatusUnauthorized, "SIGN_ERROR", why)
	r.Detail = &Detail{Field: "signature", Issue: why, Location: inAuthorization}
	return r
}

// Of makes any other error the provider's system error, which a caller
// takes for an unknown outcome.
func Of(err error) *Refusal {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r
	}
	return ErrSystem
}

// ReadJSON reads a document that says nothing twice. What it says besides what is
// asked is not looked at: SDKs send much that matters elsewhere.
func ReadJSON(body []byte, into any) error {
	return Explain(json.Unmarshal(body, into), body)
}

// Explain says what is wrong with a document in the sender's terms: what its
// reader is made of is not shown.
func Explain(err error, body []byte) error {
	if err == nil {
		return nil
	}
	if bad, ok := errors.AsType[*json.SemanticError](err); ok {
		if errors.Is(bad.Err, json.ErrUnknownName) {
			return BadField(string(bad.JSONPointer), nil, "is unknown")
		}
		return BadField(string(bad.JSONPointer), valueAt(body, bad.JSONPointer), "want "+wanted(bad.GoType))
	}
	if bad, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(bad.Err, jsontext.ErrDuplicateName) {
			return BadField(string(bad.JSONPointer), nil, "comes twice")
		}
		return BadField(string(bad.JSONPointer), nil, "the body is not JSON")
	}
	return BadField("", nil, "the body can not be read")
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
