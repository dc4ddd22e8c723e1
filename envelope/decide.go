package envelope

import "time"

// Outcome is how an open, or a grab, ended. Losing is a value, not an error.
type Outcome string

// The outcomes, spelled as in JSON.
const (
	Opened        Outcome = "opened"         // a new share is the caller's
	AlreadyOpened Outcome = "already_opened" // the caller's share from before
	Drained       Outcome = "empty"          // others were faster
	TooLate       Outcome = "expired"        // the envelope's life is over
	Openable      Outcome = "openable"       // grab: worth opening; promises nothing
	NotPaid       Outcome = "unpaid"         // grab: it is not paid yet
)

// Opening is the answer to one opener.
type Opening struct {
	Outcome Outcome
	Share   Share // with Opened and AlreadyOpened
	Err     error // ErrNotFound or ErrNotActive: refused, and not an outcome
}

// Decide says what each opener gets, in the order they came, and what the
// envelope's header is afterwards. It is the only place where money is divided.
//
// e is the header under its row lock; had answers, for openers that already hold
// a share, with that share; now is the database's clock, read under the same
// lock. An opener listed twice gets AlreadyOpened the second time. The header
// comes back unchanged, Ver too, when no opener got a new share.
//
// Decide never moves an envelope to Expired: the sweep does that, with its
// refund (I6).
func Decide(e Envelope, seed Seed, openers []UserID, had func(UserID) (Share, bool), now time.Time) (Envelope, []Opening) {
	openings := make([]Opening, len(openers))
	var fresh map[UserID]Share
	d := newDivider(&e, seed)
	before := e.OpenedCount
	for i, user := range openers {
		if s, ok := had(user); ok {
			openings[i] = Opening{Outcome: AlreadyOpened, Share: s}
			continue
		}
		if s, ok := fresh[user]; ok {
			openings[i] = Opening{Outcome: AlreadyOpened, Share: s}
			continue
		}
		if no, refused := refuse(&e, user, now); refused {
			openings[i] = no
			continue
		}
		s := Share{Seq: e.OpenedCount + 1, User: user, OpenedAt: now,
			Amount: d.share(e.OpenedCount+1, e.Remaining(), e.SharesLeft())}
		take(&e, s)
		if fresh == nil {
			fresh = make(map[UserID]Share, min(len(openers)-i, e.Count))
		}
		fresh[user] = s
		openings[i] = Opening{Outcome: Opened, Share: s}
	}
	if e.OpenedCount > before {
		e.Ver++
	}
	return e, openings
}

// refuse is the answer to an opener without a share when no share is to be had.
func refuse(e *Envelope, user UserID, now time.Time) (Opening, bool) {
	switch {
	case !e.MayOpen(user):
		return Opening{Err: ErrNotFound}, true
	case e.State == Unpaid || e.State == Closed:
		return Opening{Err: ErrNotActive}, true
	case e.OpenedCount >= e.Count:
		return Opening{Outcome: Drained}, true
	case e.State != Active || e.ExpiredAt(now):
		return Opening{Outcome: TooLate}, true
	}
	return Opening{}, false
}

// take moves a share out of the envelope; the last one empties it.
func take(e *Envelope, s Share) {
	e.Opened += s.Amount
	e.OpenedCount++
	if e.OpenedCount == e.Count {
		e.State, e.FinishedAt = Empty, s.OpenedAt
	}
}

// Peek answers a grab from a header and the caller's share, if any.
func Peek(e *Envelope, holds bool, user UserID, now time.Time) (Outcome, error) {
	if holds {
		return AlreadyOpened, nil
	}
	if !e.MayOpen(user) {
		return "", ErrNotFound
	}
	switch no, refused := refuse(e, user, now); {
	case e.State == Unpaid:
		return NotPaid, nil
	case e.State == Closed:
		return TooLate, nil
	case refused:
		return no.Outcome, nil
	}
	return Openable, nil
}

// divider computes the amounts of one envelope, whatever its kind. The draw's
// HMAC state is made on the first lucky share.
type divider struct {
	kind   Kind
	count  int
	total  Fen
	bounds Bounds
	seed   Seed
	draw   *Draw
}

func newDivider(e *Envelope, seed Seed) *divider {
	return &divider{kind: e.Kind, count: e.Count, total: e.Total, bounds: e.Bounds(), seed: seed}
}

func (d *divider) share(k int, rest Fen, left int) Fen {
	switch d.kind {
	case Equal:
		return d.total / Fen(d.count)
	case Exclusive:
		return rest
	}
	if d.draw == nil {
		d.draw = NewDraw(d.seed)
	}
	return d.draw.Share(k, rest, left, d.bounds)
}
