package operator

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"hongbao/envelope"
	"hongbao/orderset/decision"
	"hongbao/orderset/owed"
)

// Types of parameters. Their Validate is asked on both sides: by hongbaoctl's
// command line, where a wrong one is wrong usage, and by the API.

// Topic is what can be paused; "" is all of them.
type Topic string

// Validate implements the rule.
func (t Topic) Validate() error {
	if !slices.Contains(owed.Topics(), string(t)) {
		return fmt.Errorf("must be one of %v", owed.Topics())
	}
	return nil
}

// list is the topic, or all of them.
func (t Topic) list() []string {
	if t == "" {
		return owed.Topics()
	}
	return []string{string(t)}
}

// DeliveryTopic is what a delivery can be parked under.
type DeliveryTopic envelope.Topic

// Validate implements the rule.
func (t DeliveryTopic) Validate() error {
	topics := []envelope.Topic{envelope.TopicCharge, envelope.TopicBook, envelope.TopicEvent}
	if !slices.Contains(topics, envelope.Topic(t)) {
		return fmt.Errorf("must be one of %v", topics)
	}
	return nil
}

// Reason is why a topic is paused.
type Reason string

// reasonRunesMax is what a SET keeps of a reason.
const reasonRunesMax = 255

// Validate implements the rule.
func (r Reason) Validate() error {
	unprintable := func(c rune) bool { return !unicode.IsPrint(c) }
	if n := utf8.RuneCountInString(string(r)); n > reasonRunesMax || !utf8.ValidString(string(r)) || slices.ContainsFunc([]rune(string(r)), unprintable) {
		return fmt.Errorf("must be at most %d printable characters, has %d", reasonRunesMax, n)
	}
	return nil
}

// OrderID names an envelope.
type OrderID envelope.ID

// Validate implements the rule.
func (id OrderID) Validate() error {
	if _, err := envelope.ParseID(string(id)); err != nil {
		return errors.New("must be the 23 digits of an order ID")
	}
	return nil
}

// TransferNo names a transfer, and the round of it.
type TransferNo string

// Validate implements the rule.
func (no TransferNo) Validate() error {
	_, _, _, err := envelope.ParseTransferNo(string(no))
	return err
}

// order is the envelope of a transfer.
func (no TransferNo) order() envelope.ID {
	id, _, _, _ := envelope.ParseTransferNo(string(no)) // Validate has parsed it
	return id
}

// HeldSort is an order of what is held; "" is by amount.
type HeldSort string

// Validate implements the rule.
func (s HeldSort) Validate() error {
	all := []string{decision.HeldByAmount, decision.HeldByAge, decision.HeldByReason}
	if !slices.Contains(all, string(s)) {
		return fmt.Errorf("must be one of %v", all)
	}
	return nil
}

// Action is what a person can propose.
type Action string

// Validate implements the rule.
func (a Action) Validate() error {
	all := []string{decision.ActionRelease, decision.ActionRedirect, decision.ActionSettle, decision.ActionDismiss}
	if !slices.Contains(all, string(a)) {
		return fmt.Errorf("must be one of %v", all)
	}
	return nil
}

// Moment is a time, as an answer spells it.
type Moment string

// Validate implements the rule.
func (m Moment) Validate() error {
	if _, err := time.Parse(time.RFC3339Nano, string(m)); err != nil {
		return errors.New("must be a time such as 2006-01-02T15:04:05.000Z, as it was shown")
	}
	return nil
}

func (m Moment) time() time.Time {
	at, _ := time.Parse(time.RFC3339Nano, string(m)) // Validate has parsed it
	return at
}

// Person is a user's name: of an operator, or of a payee.
type Person string

// Validate implements the rule.
func (p Person) Validate() error {
	if invalid, is := errors.AsType[*envelope.InvalidError](envelope.CheckName("", string(p))); is {
		return errors.New(invalid.Why)
	}
	return nil
}

// SetNumber is the three digits of a SET.
type SetNumber string

// Validate implements the rule.
func (n SetNumber) Validate() error {
	if _, err := envelope.ParseSetNumber(string(n)); err != nil {
		return errors.New("must be the three digits of a SET")
	}
	return nil
}
