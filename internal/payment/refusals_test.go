package payment

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"hongbao/envelope"
)

// codes are all that the provider is known to refuse with, and some that it is not.
func codes() []string {
	return []string{
		"ACCOUNT_ERROR", "ACCOUNT_FROZEN", "ACCOUNT_NOT_EXIST", "APPID_MCHID_NOT_MATCH", "BANK_ERROR", "DAY_RECEIVED_COUNT_EXCEED",
		"DAY_RECEIVED_QUOTA_EXCEED", "FREQUENCY_LIMITED", "FREQUENCY_LIMIT_EXCEED", "INVALID_REQUEST", "INVALID_TRANSACTIONID", "MCH_NOT_EXISTS",
		"MONTH_RECEIVED_QUOTA_EXCEED", "NOT_ENOUGH", "NOT_FOUND", "NO_AUTH", "OPENID_INVALID", "OPENID_MISMATCH", "ORDERPAID", "ORDER_CLOSED",
		"ORDER_NOT_EXIST", "OUT_TRADE_NO_USED", "PARAM_ERROR", "PAYEE_ACCOUNT_ABNORMAL", "REALNAME_ACCOUNT_RECEIVED_QUOTA_EXCEED",
		"REAL_NAME_CHECK_FAIL", "RECEIVE_ACCOUNT_NOT_PERMMIT", "RESOURCE_NOT_EXISTS", "RULE_LIMIT", "SIGN_ERROR", "SYSTEM_ERROR", "TRADE_ERROR",
		"TRADE_OVERDUE", "TRANSFER_QUOTA_EXCEED", "TRANSFER_RISK", "USER_ACCOUNT_ABNORMAL", "USER_ACCOUNT_LIMIT", "NEVER_HEARD_OF", "",
	}
}

// Whatever the provider refuses with, and whichever call, what comes out can be
// acted upon (FS9): an answer, a wait, or an error that names the code and is never
// a fault of its own. A transfer or a batch that was refused for good and is not
// there is refused or rejected, under that code.
func TestEveryRefusalOfEveryCallSaysWhy(t *testing.T) {
	type asked func(c *Client) (envelope.Progress, string, error)
	for name, call := range map[string]asked{
		"prepay": func(c *Client) (envelope.Progress, string, error) {
			_, err := c.Prepay(context.Background(), testCharge())
			return "", "", err
		},
		"query": func(c *Client) (envelope.Progress, string, error) {
			_, err := c.QueryCharge(context.Background(), orderNo())
			return "", "", err
		},
		"close": func(c *Client) (envelope.Progress, string, error) {
			return "", "", c.CloseCharge(context.Background(), orderNo())
		},
		"payout":       placing(testPayout()),
		"refund":       placing(testRefund()),
		"query payout": querying(testPayout()),
		"query refund": querying(testRefund()),
		"batch": func(c *Client) (envelope.Progress, string, error) {
			s, err := c.PlaceBatch(context.Background(), testBatch(2))
			return s.Progress, s.Code, err
		},
		"query batch": func(c *Client) (envelope.Progress, string, error) {
			s, err := c.QueryBatch(context.Background(), testBatch(2))
			return s.Progress, s.Code, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, code := range codes() {
				for _, lookup := range []string{"NOT_FOUND", code} { // of what was refused
					c := provider(t, func(r *http.Request, _ []byte) reply {
						said := code
						if r.Method == http.MethodGet && (name == "payout" || name == "refund" || name == "batch") {
							said = lookup
						}
						return reply{status: http.StatusBadRequest, body: fmt.Sprintf(`{"code":%q}`, said)}
					})
					p, why, err := call(c)
					if what := unaccounted(code, p, why, err); what != "" {
						t.Errorf("%s, looked up %s: %q %q, %v: %s", code, lookup, p, why, err, what)
					}
				}
			}
		})
	}
}

func placing(t envelope.Transfer) func(*Client) (envelope.Progress, string, error) {
	return func(c *Client) (envelope.Progress, string, error) {
		s, err := c.Place(context.Background(), t)
		return s.Progress, s.Code, err
	}
}

func querying(t envelope.Transfer) func(*Client) (envelope.Progress, string, error) {
	return func(c *Client) (envelope.Progress, string, error) {
		s, err := c.Query(context.Background(), t)
		return s.Progress, s.Code, err
	}
}

// unaccounted is what is wrong with an answer to a refusal with this code, or "".
func unaccounted(code string, p envelope.Progress, why string, err error) string {
	_, busy := errors.AsType[*envelope.BusyError](err)
	refused, named := errors.AsType[*envelope.RefusedError](err)
	ended := p == envelope.ProgressRefused || p == envelope.ProgressRejected
	switch {
	case err == nil && ended && why != code:
		return "it does not say why"
	case err == nil && ended && !final(code) && !refusesPayee(code) && code != codeNoResource:
		return "an unknown code ends nothing (FG5)"
	case err == nil, errors.Is(err, envelope.ErrChargePaid), errors.Is(err, envelope.ErrChargeClosed):
		return ""
	case !named || refused.Code != code:
		return "the error does not name the code"
	case refused.Final != final(code):
		return "final, or not"
	case !busy && !errors.Is(err, envelope.ErrUnknownOutcome) && !final(code):
		return "an error that is none of busy, unknown and final"
	}
	return ""
}
