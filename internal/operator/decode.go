package operator

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"hongbao/envelope"
	"hongbao/internal/httpapi"
)

// bodyBytesMax bounds the body of a call.
const bodyBytesMax = 64 << 10

// invalid is a 400 that names a parameter and the rule it breaks.
func invalid(name, rule string) error { return &envelope.InvalidError{Field: name, Why: rule} }

// parameter is one field of an input: where it comes from, and its name there.
type parameter struct {
	name     string
	inPath   bool
	required bool
	value    reflect.Value
}

// parameters are the fields of an input, by their tags: `path:"no"` for a
// segment of the path, `param:"topic"` or `param:"payee,required"` for the query
// or the body.
func parameters(in reflect.Value) (all []parameter) {
	for i := range in.NumField() {
		tag := in.Type().Field(i).Tag
		if name, is := tag.Lookup("path"); is {
			all = append(all, parameter{name: name, inPath: true, required: true, value: in.Field(i)})
			continue
		}
		name, rest, _ := strings.Cut(tag.Get("param"), ",")
		if name == "" {
			panic("operator: " + in.Type().String() + "." + in.Type().Field(i).Name + " has neither tag, path nor param")
		}
		all = append(all, parameter{name: name, required: rest == "required", value: in.Field(i)})
	}
	return all
}

// decode reads a request into the struct that in points to, in the narrowest
// reading: every parameter is known, given once, in the query or in the body,
// not empty and of its type; nothing else is there. An error is a 400 that names
// what is wrong. Nothing is called before decode has returned.
func decode(r *http.Request, in any) error {
	all := parameters(reflect.ValueOf(in).Elem())
	given := map[string]bool{}
	take := func(name string, set func(*parameter) error) error {
		for i := range all {
			p := &all[i]
			if p.inPath || p.name != name {
				continue
			}
			if given[name] {
				return invalid(name, "is given twice")
			}
			given[name] = true
			return set(p)
		}
		return invalid(printable(name), "is not a parameter of this call"+known(all))
	}
	for i := range all {
		if p := &all[i]; p.inPath {
			given[p.name] = true
			if err := p.setText(r.PathValue(p.name)); err != nil {
				return err
			}
		}
	}
	if err := decodeQuery(r, take); err != nil {
		return err
	}
	if err := decodeBody(r, take); err != nil {
		return err
	}
	for i := range all {
		if p := &all[i]; p.required && !given[p.name] {
			return invalid(p.name, "is required")
		}
	}
	return nil
}

func known(all []parameter) string {
	var names []string
	for _, p := range all {
		if !p.inPath {
			names = append(names, p.name)
		}
	}
	if len(names) == 0 {
		return ", which takes none"
	}
	return ", which takes " + strings.Join(names, ", ")
}

func decodeQuery(r *http.Request, take func(string, func(*parameter) error) error) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return invalid("query", "cannot be decoded")
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		values := query[name]
		if len(values) > 1 {
			return invalid(printable(name), "is given twice")
		}
		if err := take(name, func(p *parameter) error { return p.setText(values[0]) }); err != nil {
			return err
		}
	}
	return nil
}

// decodeBody reads a body, if there is one, as one JSON object of parameters.
func decodeBody(r *http.Request, take func(string, func(*parameter) error) error) error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return httpapi.RefuseBody(r)
	}
	body, err := httpapi.ReadJSON(r, bodyBytesMax)
	if err != nil || body == nil {
		return err
	}
	dec := jsontext.NewDecoder(bytes.NewReader(body)) // refuses duplicate names and invalid UTF-8
	if t, err := dec.ReadToken(); err != nil || t.Kind() != '{' {
		return invalid("body", "must be one JSON object")
	}
	for {
		t, err := dec.ReadToken()
		if err != nil {
			return invalid("body", "is no valid JSON, or gives a member twice")
		}
		if t.Kind() == '}' {
			break
		}
		name := t.String()
		err = take(name, func(p *parameter) error {
			t, err := dec.ReadToken()
			if err != nil {
				return invalid("body", "is no valid JSON")
			}
			return p.setToken(t)
		})
		if err != nil {
			return err
		}
	}
	if _, err := dec.ReadToken(); err != io.EOF {
		return invalid("body", "must end with the object")
	}
	return nil
}

// setToken sets a parameter from a JSON value of its type.
func (p *parameter) setToken(t jsontext.Token) error {
	want, name := byte('"'), "a string"
	switch {
	case p.value.Type() == reflect.TypeFor[time.Duration]():
	case p.value.Kind() == reflect.Int:
		want, name = '0', "a whole number"
	case p.value.Kind() == reflect.Bool:
		want, name = 't', "true or false"
	}
	kind := byte(t.Kind())
	if kind == 'f' {
		kind = 't'
	}
	if kind != want {
		return invalid(p.name, "must be "+name)
	}
	return p.setText(t.String())
}

// setText sets a parameter from its text, and holds it to the rule of its type.
func (p *parameter) setText(text string) error {
	if text == "" {
		return invalid(p.name, "must not be empty")
	}
	if err := p.parse(text); err != nil {
		return err
	}
	if v, is := p.value.Interface().(interface{ Validate() error }); is {
		if err := v.Validate(); err != nil {
			return invalid(p.name, err.Error())
		}
	}
	return nil
}

func (p *parameter) parse(text string) error {
	switch {
	case p.value.Type() == reflect.TypeFor[time.Duration]():
		d, err := time.ParseDuration(text)
		if err != nil {
			return invalid(p.name, "must be a duration such as 90s or 24h")
		}
		p.value.SetInt(int64(d))
	case p.value.Kind() == reflect.String:
		p.value.SetString(text)
	case p.value.Kind() == reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return invalid(p.name, "must be a whole number")
		}
		p.value.SetInt(int64(n))
	case p.value.Kind() == reflect.Bool:
		if text != "true" && text != "false" {
			return invalid(p.name, "must be true or false")
		}
		p.value.SetBool(text == "true")
	default:
		panic("operator: no decoding into " + p.value.Type().String())
	}
	return nil
}

// encode is decode the other way round: the path and the query of a call.
func encode(pattern string, in any) (method, path string, query url.Values) {
	method, path, _ = strings.Cut(pattern, " ")
	query = url.Values{}
	for _, p := range parameters(reflect.ValueOf(in)) {
		text := p.text()
		switch {
		case p.inPath:
			path = strings.Replace(path, "{"+p.name+"}", url.PathEscape(text), 1)
		case !p.value.IsZero():
			query.Set(p.name, text)
		}
	}
	return method, path, query
}

func (p *parameter) text() string {
	switch v := p.value; {
	case v.Type() == reflect.TypeFor[time.Duration]():
		return time.Duration(v.Int()).String()
	case v.Kind() == reflect.Int:
		return strconv.FormatInt(v.Int(), 10)
	case v.Kind() == reflect.Bool:
		return strconv.FormatBool(v.Bool())
	default:
		return v.String()
	}
}

// printable is a name that can be repeated to the caller.
func printable(name string) string {
	const nameBytesMax = 32
	if name == "" || len(name) > nameBytesMax || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		return "a name"
	}
	return name
}
