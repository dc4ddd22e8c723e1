package envelope

// Reason is why a [BusyError] is busy: stable and in snake_case, since it is the
// code of the problem that a caller is answered with. Each has a row in the one
// table of internal/httpapi, whose tests find the constants of this type.
type Reason string

// The reasons. Those of package queue come besides.
const (
	ReasonNoSet           Reason = "no_set_available"   // no SET takes new envelopes
	ReasonSetUnavailable  Reason = "set_unavailable"    // the SET's database cannot be reached, or takes no writes
	ReasonDayNotReady     Reason = "day_not_ready"      // the day has no tables yet
	ReasonContended       Reason = "envelope_contended" // other transactions hold the rows
	ReasonCanceled        Reason = "canceled"           // the request ended before it had an effect
	ReasonSendUnconfirmed Reason = "send_unconfirmed"   // too few SETs answer for the idempotency key
	ReasonNoLease         Reason = "no_machine_lease"   // no machine number to mint with
	ReasonClockBehind     Reason = "clock_stepped_back" // nothing is minted until the clock has caught up

	ReasonBooksUnavailable Reason = "books_unavailable" // a shard of the books cannot do it now
	ReasonProvider         Reason = "payment_provider"  // the payment provider is out of reach
	ReasonFunds            Reason = "payment_funds"     // our account at the provider is short: people have to fill it
	ReasonEventEndpoint    Reason = "event_endpoint"    // the receiver of events asks to be left alone
	ReasonCallbacks        Reason = "callbacks"         // too many callbacks wait to be recorded
	ReasonShuttingDown     Reason = "shutting_down"     // nothing is recorded any more
)
