package lies

import (
	"cmp"
	"fmt"
)

// Lie is one way of not doing, or not saying, what a provider should.
type Lie string

// Lies about calls that change something.
const (
	TimeoutAfter     Lie = "timeout_after"      // execute, then never answer
	TimeoutBefore    Lie = "timeout_before"     // never answer, and do not execute
	ExecuteLater     Lie = "execute_later"      // answer SYSTEM_ERROR; execute after later_ms
	TimeoutLater     Lie = "timeout_later"      // never answer; execute after later_ms
	UnknownCode      Lie = "unknown_code"       // HTTP 400 with an unknown code; do not execute
	UnknownCodeAfter Lie = "unknown_code_after" // the same, executed
	NotEnough        Lie = "not_enough"         // HTTP 403 NOT_ENOUGH: the merchant's account is empty; do not execute
	RefuseRequest    Lie = "refuse_request"     // HTTP 403 with the code; do not execute
)

// Lies about any call, questions too.
const (
	Outage         Lie = "outage"                // HTTP 503, unsigned
	UnknownState   Lie = "unknown_state"         // an answer with an unknown state
	UnsignedAnswer Lie = "unsigned_answer"       // true, and not signed
	WronglySigned  Lie = "wrongly_signed_answer" // the signature is of another body
)

// Lies about callbacks.
const (
	duplicateCallback Lie = "duplicate_callback" // copies of them at once
	dropCallback      Lie = "drop_callback"      // not in this life of the process
	lateCallback      Lie = "late_callback"      // after late_ms
	reorderedCallback Lie = "reordered_callback" // after a later one, or late_ms when none comes
	forgedCallback    Lie = "forged_callback"    // before the true one: a fen too much, wrongly signed
	probeCallback     Lie = "probe_callback"     // before the true one: a signature WECHATPAY/SIGNTEST/…
	wrongAmount       Lie = "wrong_amount"       // before the true one: a fen too much, validly signed
	successThenFail   Lie = "success_then_fail"  // later_ms after a taken SUCCESS of a refund or payout: the contrary, validly signed
)

// Lies about money, which are not lies but luck, but for the last.
const (
	RefuseLimit    Lie = "refuse_limit"    // a payout ends FAIL: the payee's account takes no more
	RefuseClosed   Lie = "refuse_closed"   // a payout ends FAIL, a refund ABNORMAL: the account is closed
	AbnormalFirst  Lie = "abnormal_first"  // a refund ends ABNORMAL, and later_ms after that SUCCESS, as when the merchant has acted
	RefuseRefund   Lie = "refuse_refund"   // a refund ends CLOSED
	SlowPayee      Lie = "slow_payee"      // the payee confirms after later_ms
	AbsentPayee    Lie = "absent_payee"    // the payee does not confirm, and their time is over after later_ms: the payout ends FAIL
	SlowAcceptance Lie = "slow_acceptance" // a payout is ACCEPTED, then PROCESSING, before the payee may confirm, or the batch is paid, after later_ms
	BatchClosed    Lie = "batch_closed"    // a batch ends CLOSED: the first half of its details as they would have, the others FAIL
	Twice          Lie = "twice"           // the money moves two times under one number
)

// known reports whether there is such a lie.
func (l Lie) known() bool {
	switch l {
	case TimeoutAfter, TimeoutBefore, ExecuteLater, TimeoutLater, UnknownCode, UnknownCodeAfter, NotEnough, RefuseRequest,
		Outage, UnknownState, UnsignedAnswer, WronglySigned,
		duplicateCallback, dropCallback, lateCallback, reorderedCallback, forgedCallback, probeCallback, wrongAmount, successThenFail,
		RefuseLimit, RefuseClosed, AbnormalFirst, RefuseRefund, SlowPayee, AbsentPayee, SlowAcceptance, BatchClosed, Twice:
		return true
	}
	return false
}

const (
	RulesMax     = 1024
	ruleTimesMax = 1_000_000
	copiesMax    = 16
	codeBytesMax = 64
	lieWaitMaxMS = 24 * 60 * 60 * 1000
)

// Operation is what a lie may be about. Calls and callbacks about a batch are a
// payout under the batch's number, without a payee; what becomes of each of its
// details is a payout under the detail's.
type Operation struct {
	Kind  string // charge, refund, payout or statement
	No    string // the merchant's number; of a statement the day
	Party string // the openid of a payee
}

// extent is how much of it a lie takes. Zero is the default.
type extent struct {
	LaterMS int64 `json:"later_ms,omitzero"` // default 1000
	LateMS  int64 `json:"late_ms,omitzero"`  // default 1000
	Copies  int   `json:"copies,omitzero"`   // of one callback, 1 to 16; default 2

	Code string `json:"code,omitzero"` // of refuse_request, at most 64 bytes; default NO_AUTH
}

func (e extent) over(other extent) extent {
	if e.LaterMS == 0 {
		e.LaterMS = other.LaterMS
	}
	if e.LateMS == 0 {
		e.LateMS = other.LateMS
	}
	if e.Copies == 0 {
		e.Copies = other.Copies
	}
	e.Code = cmp.Or(e.Code, other.Code)
	return e
}

func (e extent) check(where string) error {
	if e.LaterMS < 0 || e.LaterMS > lieWaitMaxMS || e.LateMS < 0 || e.LateMS > lieWaitMaxMS {
		return fmt.Errorf("%s: later_ms, late_ms: want 0 to %d", where, lieWaitMaxMS)
	}
	if e.Copies < 0 || e.Copies > copiesMax {
		return fmt.Errorf("%s: copies: want 1 to %d", where, copiesMax)
	}
	if len(e.Code) > codeBytesMax {
		return fmt.Errorf("%s: code: want at most %d bytes", where, codeBytesMax)
	}
	return nil
}

// rule tells one lie about the operations it names, a number of times. An empty
// name stands for all.
type rule struct {
	Lie      Lie    `json:"lie"`
	Kind     string `json:"kind,omitzero"`
	No       string `json:"no,omitzero"`
	NoPrefix string `json:"no_prefix,omitzero"`
	Party    string `json:"party,omitzero"`
	Times    int    `json:"times"` // 1 to 1,000,000
	extent
}

// Document is the body of PUT /simulator/lies. Rules go before rates.
type Document struct {
	Seed  uint64          `json:"seed,omitzero"`
	Rates map[Lie]float64 `json:"rates,omitzero"` // probability of each, 0 to 1
	Rules []rule          `json:"rules,omitzero"`
	extent
}

// Check refuses what cannot be told.
func (d *Document) Check() error {
	for name, rate := range d.Rates {
		if !name.known() || rate < 0 || rate > 1 {
			return fmt.Errorf("rates: %q: want a known lie at a rate of 0 to 1, have %v", string(name), rate)
		}
	}
	if len(d.Rules) > RulesMax {
		return fmt.Errorf("rules: want at most %d, have %d", RulesMax, len(d.Rules))
	}
	for i, r := range d.Rules {
		where := fmt.Sprintf("rules[%d]", i)
		if !r.Lie.known() || r.Times < 1 || r.Times > ruleTimesMax {
			return fmt.Errorf("%s: want a known lie 1 to %d times, have %q %d times", where, ruleTimesMax, string(r.Lie), r.Times)
		}
		if err := r.check(where); err != nil {
			return err
		}
	}
	return d.extent.check("lies")
}

// Variant is a callback as it is, or as it should not be.
type Variant int

const (
	Genuine  Variant = iota
	Forged           // a fen too much, the signature of another body
	Probe            // the signature of the provider's own probes
	OffByOne         // a fen too much, validly signed
	Contrary         // of a success: that it failed, validly signed
)
