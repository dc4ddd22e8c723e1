package settings

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// YAML spells a whole number in many ways, and the decoder cuts off what is behind a
// decimal point. An integer of the settings is decimal digits and nothing else, so
// that what is written is what is meant.

// numberMistake is a value of an integer key that is written in another way.
type numberMistake struct {
	key, have string
	line      int
}

func (m numberMistake) Error() string {
	return fmt.Sprintf("line %d: %s: want a whole number in decimal digits, have %s", m.line, m.key, m.have)
}

// covers reports whether the decoder's message is about the same value.
func (m numberMistake) covers(message string) bool {
	return strings.HasPrefix(message, fmt.Sprintf("line %d: cannot unmarshal ", m.line)) && strings.Contains(message, " into int")
}

// numberMistakes are those of a document that is decoded into t.
func numberMistakes(raw []byte, t reflect.Type) []numberMistake {
	var document yaml.Node
	if err := yaml.Unmarshal(raw, &document); err != nil || len(document.Content) == 0 {
		return nil // the decoder says what is wrong with it
	}
	return wrongNumbers(document.Content[0], t, "")
}

func wrongNumbers(n *yaml.Node, t reflect.Type, key string) (found []numberMistake) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Struct:
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			name := n.Content[i].Value
			if field, ok := fieldOf(t, name); ok {
				found = append(found, wrongNumbers(n.Content[i+1], field, strings.TrimPrefix(key+"."+name, "."))...)
			}
		}
	case reflect.Slice:
		for i := 0; n.Kind == yaml.SequenceNode && i < len(n.Content); i++ {
			found = append(found, wrongNumbers(n.Content[i], t.Elem(), fmt.Sprintf("%s[%d]", key, i))...)
		}
	case reflect.Int, reflect.Int64:
		if t != reflect.TypeFor[time.Duration]() && n.Kind == yaml.ScalarNode && n.Tag != "!!null" && !decimal(n) {
			found = append(found, numberMistake{key, shownAs(n), n.Line})
		}
	}
	return found
}

// fieldOf is the type of the field that a key is decoded into.
func fieldOf(t reflect.Type, key string) (reflect.Type, bool) {
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); name == key {
			return t.Field(i).Type, true
		}
	}
	return nil, false
}

// decimal reports whether a value is a whole number as strconv writes it.
func decimal(n *yaml.Node) bool {
	v, err := strconv.ParseInt(n.Value, 10, 64)
	return err == nil && n.Tag == "!!int" && n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) == 0 && strconv.FormatInt(v, 10) == n.Value
}

// shownAs is a value as the file has it.
func shownAs(n *yaml.Node) string {
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
		return strconv.Quote(n.Value)
	}
	return n.Value
}
