package bill

import (
	"time"

	"hongbao/envelope"
)

// Kind says what a row of a bill is about.
type Kind string

// The kinds.
const (
	Charge Kind = "charge"
	Refund Kind = "refund"
	Payout Kind = "payout"
	Other  Kind = "other" // fees, money people moved, numbers that are not ours
	// Unreadable is a row that can not be made out, or says what can not be: a
	// difference for people to look at, and no reason to leave out the others.
	Unreadable Kind = "unreadable"
)

// Entry is one row of a bill.
type Entry struct {
	At         time.Time
	Kind       Kind
	No         string       // the merchant's number; an order ID or a transfer's number where it is ours
	ProviderNo string       // transaction, refund or transfer bill
	FlowNo     string       // fund flow only: the number of the movement itself
	Amount     envelope.Fen // >= 1 unless Kind is other
	Out        bool         // the money left the merchant
	State      string       // trade bill only: SUCCESS; of a refund what it was on the day of the bill
	Line       int          // unreadable only: which line of the bill, from 1
	Why        string       // unreadable only
}
