package operator

import (
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"hongbao/envelope"
)

// NotReady is what /readyz answers when it is not: the members of both.
type NotReady struct {
	Problem
	Readiness
}

// refusedBySets are the codes of a call about one envelope, transfer or batch.
var refusedBySets = []string{"not_found", "rule_forbids", string(envelope.ReasonContended), string(envelope.ReasonSetUnavailable), string(envelope.ReasonDayNotReady), string(envelope.ReasonCanceled), "outcome_unknown", "internal"}

// codes are those of the table that a call can be refused with.
func (c *call) codes(method string) []string {
	codes := []string{"host_not_allowed", "method_not_allowed", "invalid_field"}
	if method == http.MethodGet {
		codes = append(codes, "body_not_allowed")
	} else {
		codes = append(codes, "cross_origin", "body_unreadable", "body_timeout", "body_too_large", "unsupported_media_type")
	}
	if !c.open {
		codes = append(codes, "unauthenticated", "insufficient_scope")
	}
	for field := range c.in.Fields() {
		switch field.Type {
		case reflect.TypeFor[SetNumber](), reflect.TypeFor[string](): // one of a list
			codes = append(codes, "not_found")
		case reflect.TypeFor[TransferNo](), reflect.TypeFor[BatchNo](), reflect.TypeFor[StuckNo](), reflect.TypeFor[OrderID]():
			if c.in != reflect.TypeFor[DecisionsInput]() { // a look at all SETs
				codes = append(codes, refusedBySets...)
			}
		}
	}
	if c.pattern == readyCall.pattern {
		codes = append(codes, "not_ready")
	}
	return codes
}

// refusals are the answers of a call that are no success: one a status, which says
// what it can mean and by which codes.
func (d *document) refusals(c call, method string) object {
	codes := map[int][]string{}
	for _, code := range c.codes(method) {
		status, _, _ := d.problems.Row(code)
		codes[status] = append(codes[status], code)
	}
	answers := object{}
	for status, of := range codes {
		answers[strconv.Itoa(status)] = d.refusal(c, status, of)
	}
	bare := object{"text/plain; charset=utf-8": object{}} // net/http's own words
	answers["400"].(object)["content"].(object)["text/plain; charset=utf-8"] = object{}
	answers["417"] = object{"description": "Expect may be 100-continue only. Without a body."}
	answers["431"] = object{"description": "Request line and headers exceed their bound.", "content": bare}
	answers["501"] = object{"description": "Transfer-Encoding may be chunked only, once.", "content": bare}
	answers["505"] = object{"description": "HTTP/1.1 and HTTP/1.0 are spoken here.", "content": bare}
	if c.in == reflect.TypeFor[ProfileInput]() {
		answers["500"] = object{"description": "The profile is being taken by another.", "content": bare}
	}
	return answers
}

func (d *document) refusal(c call, status int, codes []string) object {
	var means []string
	headers := object{}
	slices.Sort(codes)
	for _, code := range codes {
		_, title, retryable := d.problems.Row(code)
		means = append(means, code+": "+title)
		if retryable {
			headers["Retry-After"] = header("Whole seconds.", object{"type": "integer", "minimum": 1})
		}
	}
	switch status {
	case http.StatusUnauthorized:
		headers["WWW-Authenticate"] = header("What is wanted.", object{"type": "string"})
	case http.StatusMethodNotAllowed:
		headers["Allow"] = header("The methods of this path.", object{"type": "string"})
	}
	body := d.schema(reflect.TypeFor[Problem]())
	if slices.Contains(codes, "not_ready") {
		body = d.schema(reflect.TypeFor[NotReady]())
	}
	return object{"description": strings.Join(means, " "), "headers": headers, "content": object{"application/problem+json": object{"schema": body}}}
}

func header(description string, schema object) object {
	return object{"description": description, "required": true, "schema": schema}
}
