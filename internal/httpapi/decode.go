package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"hongbao/envelope"
)

// A member is one of those an order's body may have.
type member uint8

const (
	memberKind member = 1 << iota
	memberTotal
	memberShare
	memberCount
	memberGroup
	memberGreeting
	memberRecipient
)

// decodeOrder reads the body of a send in the narrowest sense of JSON: one
// object, names spelled exactly and given once, values of the right type and
// never null, integers written as integers, valid UTF-8, nothing before or
// after. Numbers keep no zero for absent: required-ness is decided here, ranges
// are envelope.Limits' (FH1, FH2).
func decodeOrder(body []byte) (envelope.Order, error) {
	var o envelope.Order
	var given member
	dec := jsontext.NewDecoder(bytes.NewReader(body)) // refuses duplicate names and invalid UTF-8
	if t, err := dec.ReadToken(); err != nil || t.Kind() != '{' {
		return o, badJSON(err, "want an object")
	}
	for {
		name, err := dec.ReadToken()
		if err != nil {
			return o, badJSON(err, "")
		}
		if name.Kind() == '}' {
			break
		}
		m, err := decodeMember(dec, name.String(), &o)
		if err != nil {
			return o, err
		}
		given |= m
	}
	if _, err := dec.ReadToken(); err != io.EOF {
		return o, badJSON(nil, "something follows the object")
	}
	return o, requireMembers(&o, given)
}

// decodeMember reads the value of one member into the order.
func decodeMember(dec *jsontext.Decoder, name string, o *envelope.Order) (member, error) {
	switch name {
	case "kind":
		return memberKind, decodeString(dec, name, &o.Kind)
	case "total_fen":
		return memberTotal, decodeInt(dec, name, &o.Total)
	case "share_fen":
		return memberShare, decodeInt(dec, name, &o.Share)
	case "count":
		return memberCount, decodeInt(dec, name, &o.Count)
	case "group_id":
		return memberGroup, decodeString(dec, name, &o.Group)
	case "greeting":
		return memberGreeting, decodeString(dec, name, &o.Greeting)
	case "recipient_id":
		return memberRecipient, decodeString(dec, name, &o.Recipient)
	}
	return 0, &envelope.InvalidError{Field: printable(name), Why: "is not a member of this request"}
}

func decodeString[T ~string](dec *jsontext.Decoder, name string, into *T) error {
	t, err := dec.ReadToken()
	switch {
	case err != nil:
		return badJSON(err, "")
	case t.Kind() != '"':
		return &envelope.InvalidError{Field: name, Why: "must be a string, is " + kindName(t.Kind())}
	}
	*into = T(t.String())
	return nil
}

func decodeInt[T ~int | ~int64](dec *jsontext.Decoder, name string, into *T) error {
	t, err := dec.ReadToken()
	switch {
	case err != nil:
		return badJSON(err, "")
	case t.Kind() != '0':
		return &envelope.InvalidError{Field: name, Why: "must be a whole number, is " + kindName(t.Kind())}
	}
	n, err := strconv.ParseInt(t.String(), 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return &envelope.InvalidError{Field: name, Why: "does not fit 64 bits"}
	case err != nil:
		return &envelope.InvalidError{Field: name, Why: "must be a whole number, without fraction or exponent"}
	}
	*into = T(n)
	return nil
}

func kindName(k jsontext.Kind) string {
	switch k {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 'n':
		return "null"
	}
	return "a boolean"
}

// printable is a member's name when it can be repeated to the caller: short and
// made of the characters of names.
func printable(name string) string {
	const nameBytesMax = 32
	for i := range len(name) {
		if c := name[i] | 0x20; (c < 'a' || c > 'z') && name[i] != '_' && (name[i] < '0' || name[i] > '9') {
			return "body"
		}
	}
	if name == "" || len(name) > nameBytesMax {
		return "body"
	}
	return name
}

// badJSON says which rule breaks and where, never what stands there. why is for
// what is well-formed and yet not an order.
func badJSON(err error, why string) error {
	syntax, ok := errors.AsType[*jsontext.SyntacticError](err)
	switch {
	case ok && errors.Is(err, jsontext.ErrDuplicateName):
		why = fmt.Sprintf("a member is given twice, near byte %d", syntax.ByteOffset)
	case ok:
		why = fmt.Sprintf("syntax error near byte %d", syntax.ByteOffset)
	case err != nil:
		why = "the body is empty"
	}
	return &refusal{code: codeInvalidJSON, detail: why}
}

// requireMembers holds each kind to its own members. Without it an explicit zero
// and an absent member would be the same order.
func requireMembers(o *envelope.Order, given member) error {
	if given&memberKind == 0 {
		return &envelope.InvalidError{Field: "kind", Why: "is required"}
	}
	if _, err := envelope.ParseKind(string(o.Kind)); err != nil {
		return err
	}
	equal, exclusive := o.Kind == envelope.Equal, o.Kind == envelope.Exclusive
	for _, r := range [...]struct {
		member      member
		name        string
		must, never bool
		why         string
	}{
		{memberCount, "count", !exclusive, false, ""},
		{memberTotal, "total_fen", !equal, equal, "an equal envelope takes share_fen instead"},
		{memberShare, "share_fen", equal, !equal, "is for equal envelopes only"},
		{memberGroup, "group_id", true, false, ""},
		{memberRecipient, "recipient_id", exclusive, !exclusive, "is for exclusive envelopes only"},
	} {
		switch is := given&r.member != 0; {
		case r.must && !is:
			return &envelope.InvalidError{Field: r.name, Why: "is required"}
		case r.never && is:
			return &envelope.InvalidError{Field: r.name, Why: r.why}
		}
	}
	if exclusive && given&memberCount != 0 && o.Count != 1 {
		return &envelope.InvalidError{Field: "count", Why: "must be 1 for an exclusive envelope"}
	}
	return nil
}
