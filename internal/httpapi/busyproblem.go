package httpapi

import (
	"hongbao/envelope"
	"hongbao/queue"
)

// busyProblems are the rows of busy answers, one for each reason of the packages
// envelope and queue: 429 is about one envelope, 503 about a SET or the service.
func busyProblems() []problem {
	notNow := func(code string, status int, title string) problem {
		return problem{code: code, status: status, title: title, retryable: true}
	}
	busy := func(reason envelope.Reason, status int, title string) problem {
		return notNow(string(reason), status, title)
	}
	queued := func(reason queue.Reason, status int, title string) problem {
		return notNow(string(reason), status, title)
	}
	callback := func(reason envelope.Reason, title string) problem {
		return problem{code: string(reason), status: unavailable, title: title, retryable: true, callback: true}
	}
	return []problem{
		busy(envelope.ReasonContended, tooMany, "Others hold the envelope."),
		queued(queue.ReasonQueueFull, tooMany, "Too many requests wait for this envelope."),
		queued(queue.ReasonOverCap, tooMany, "Too many requests for this envelope are under way."),
		notNow(codeBusy, unavailable, "The service cannot take the request now."),
		busy(envelope.ReasonNoSet, unavailable, "No SET takes new envelopes now."),
		busy(envelope.ReasonSendUnconfirmed, unavailable, "Too few of the databases that keep the Idempotency-Key answer; nothing was charged. Repeat it unchanged."),
		busy(envelope.ReasonSetUnavailable, unavailable, "The envelope's SET cannot be reached."),
		busy(envelope.ReasonDayNotReady, unavailable, "The envelope's day is not open yet."),
		busy(envelope.ReasonNoLease, unavailable, "No machine number to mint IDs with."),
		busy(envelope.ReasonClockBehind, unavailable, "The clock stepped back; IDs are minted when it has caught up."),
		busy(envelope.ReasonBooksUnavailable, unavailable, "The caller's book cannot be reached."),
		busy(envelope.ReasonProvider, unavailable, "The payment provider does not answer."),
		notNow(codePaymentSetup, unavailable, "The payment provider does not take this service's requests; its operators have to act."),
		busy(envelope.ReasonFunds, unavailable, "This service's account at the payment provider is short."),
		busy(envelope.ReasonCanceled, unavailable, "The request ended before it had an effect."),
		queued(queue.ReasonDraining, unavailable, "This server is being emptied."),
		queued(queue.ReasonOverloaded, unavailable, "Too many requests are in flight."),
		queued(queue.ReasonCPU, unavailable, "The machine is saturated."),
		queued(queue.ReasonLaneFull, unavailable, "Too many requests wait in this lane."),
		queued(queue.ReasonExpired, unavailable, "The request waited too long and was dropped without an effect."),
		queued(queue.ReasonDatabaseSlow, unavailable, "The envelope's SET answers too slowly."),
		queued(queue.ReasonDatabaseDown, unavailable, "The envelope's SET does not answer."),
		queued(queue.ReasonGateFull, unavailable, "Too many envelopes are being opened."),
		callback(envelope.ReasonCallbacks, "Too many notifications wait to be recorded; send it again."),
		callback(envelope.ReasonShuttingDown, "This server records nothing any more; send it again."),
	}
}
