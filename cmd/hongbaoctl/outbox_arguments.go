package main

import (
	"errors"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"hongbao/envelope"
	"hongbao/orderset"
)

// Arguments that are checked before anything is called. Wrong ones are wrong
// usage, and kong names them in front of what is said here.

// topic is what can be paused; "" is all of them.
type topic string

func (t topic) Validate() error {
	if !slices.Contains(orderset.Topics(), string(t)) {
		return fmt.Errorf("want one of %v, have %q", orderset.Topics(), string(t))
	}
	return nil
}

// deliveryTopic is what a delivery can be parked under.
type deliveryTopic envelope.Topic

func (t deliveryTopic) Validate() error {
	topics := []envelope.Topic{envelope.TopicCharge, envelope.TopicBook, envelope.TopicEvent}
	if !slices.Contains(topics, envelope.Topic(t)) {
		return fmt.Errorf("want one of %v, have %q", topics, string(t))
	}
	return nil
}

// reason is why a topic is paused.
type reason string

// reasonRunesMax is what a SET keeps of a reason.
const reasonRunesMax = 255

func (r reason) Validate() error {
	if n := utf8.RuneCountInString(string(r)); n > reasonRunesMax || printable(string(r)) != string(r) {
		return fmt.Errorf("want at most %d printable characters, have %d", reasonRunesMax, n)
	}
	return nil
}

// orderID names an envelope.
type orderID envelope.ID

func (id orderID) Validate() error {
	if _, err := envelope.ParseID(string(id)); err != nil {
		return fmt.Errorf("want the 23 digits of an order ID, have %q", string(id))
	}
	return nil
}

// transferNo names a transfer, and the round of it.
type transferNo string

func (no transferNo) Validate() error {
	_, _, _, err := envelope.ParseTransferNo(string(no))
	return err
}

// person is a user's name.
type person string

func (p person) Validate() error {
	if err := envelope.CheckName("", string(p)); err != nil {
		invalid, _ := errors.AsType[*envelope.InvalidError](err)
		return errors.New(invalid.Why)
	}
	return nil
}

// printable is what strangers wrote, without what a terminal would obey.
func printable(s string) string {
	clean := []rune(s)
	for i, r := range clean {
		if !unicode.IsPrint(r) {
			clean[i] = unicode.ReplacementChar
		}
	}
	return string(clean)
}
