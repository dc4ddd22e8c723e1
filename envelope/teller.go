package envelope

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// TellerConfig is what a teller works with. All of it is required.
type TellerConfig struct {
	Placement Placement
	Provider  Provider
	DrawKey   DrawKey
	Tickets   *Tickets
	Limits    Limits
	Now       func() time.Time
}

// Teller carries out what people ask: send, grab, open, show.
type Teller struct{ cfg TellerConfig }

// NewTeller refuses an incomplete configuration.
func NewTeller(cfg TellerConfig) (*Teller, error) {
	if cfg.Placement == nil || cfg.Provider == nil || cfg.Tickets == nil || cfg.Now == nil {
		return nil, errors.New("teller: placement, provider, tickets and now are all required")
	}
	if cfg.DrawKey.IsZero() {
		return nil, errors.New("teller: want a draw key that NewDrawKey made")
	}
	if err := cfg.Limits.Validate(); err != nil {
		return nil, fmt.Errorf("teller: %w", err)
	}
	return &Teller{cfg: cfg}, nil
}

// Sent is the answer to a send.
type Sent struct {
	Envelope Envelope
	CodeURL  string // where the payer's wallet pays; empty once it is paid or can not be paid any more
}

// Send makes an unpaid envelope and places its charge with the provider. The
// envelope is committed before the provider hears of it, so no payment can
// arrive for an order that does not exist. A repeat of the key returns the
// first envelope as it is now, and takes up where an interrupted send stopped; once
// the time to pay is over there is no address to pay at.
func (t *Teller) Send(ctx context.Context, o Order) (Sent, error) {
	o, err := t.cfg.Limits.Check(o)
	if err != nil {
		return Sent{}, err
	}
	e, err := t.place(ctx, &o)
	if err != nil {
		return Sent{}, err
	}
	sent := Sent{Envelope: e}
	charge := t.charge(&e)
	if e.State != Unpaid || !t.cfg.Now().Before(charge.ExpiresAt) {
		return sent, nil // there is nothing to pay any more, whether or not that is written down yet
	}
	sent.CodeURL, err = t.cfg.Provider.Prepay(ctx, charge)
	if errors.Is(err, ErrChargePaid) || errors.Is(err, ErrChargeClosed) {
		return Sent{Envelope: e}, nil // a repeat, ahead of the notification of what became of the first
	}
	return sent, err
}

// ledger is that of the SET in which an envelope is.
func (t *Teller) ledger(id ID) (Ledger, error) { return t.cfg.Placement.Ledger(id.Set()) }

func (t *Teller) charge(e *Envelope) Charge {
	return Charge{OrderNo: e.ID, Amount: e.Total, ExpiresAt: e.CreatedAt.Add(t.cfg.Limits.PayWithin)}
}

// ours is an error about an envelope that is known to have been made: by its ticket,
// or by the record of its key. A server that does not know the SET cannot say that
// the envelope is absent; another one, or this one with other settings, can say more.
func ours(err error) error {
	if errors.Is(err, ErrUnknownSet) {
		return fmt.Errorf("%w: %v", &BusyError{Reason: ReasonSetUnavailable, RetryAfter: unknownSetRetry}, err)
	}
	return err
}

// unknownSetRetry leaves people time to correct the settings.
const unknownSetRetry = 30 * time.Second

// Paid takes the provider's word that a charge was paid.
func (t *Teller) Paid(ctx context.Context, p Payment) error {
	l, err := t.ledger(p.OrderNo)
	if err == nil {
		_, err = l.Pay(ctx, p)
	}
	return err
}

// Grab says whether the envelope is worth opening for user. It promises
// nothing.
func (t *Teller) Grab(ctx context.Context, id ID, user UserID, ticket string) (Outcome, error) {
	if !t.cfg.Tickets.Valid(id, ticket) {
		return "", ErrNotFound
	}
	l, err := t.ledger(id)
	if err != nil {
		return "", ours(err)
	}
	s, err := l.Peek(ctx, id, user)
	if err != nil {
		return "", ours(err)
	}
	return Peek(&s.Envelope, len(s.Shares) > 0, user, s.Now)
}

// Open takes a share for the user. A repeat returns the same share (I2).
func (t *Teller) Open(ctx context.Context, req OpenRequest, ticket string) (Opening, error) {
	if !t.cfg.Tickets.Valid(req.ID, ticket) {
		return Opening{}, ErrNotFound
	}
	l, err := t.ledger(req.ID)
	if err != nil {
		return Opening{}, ours(err)
	}
	o, err := l.Open(ctx, req)
	if err == nil {
		err = o.Err
	}
	return o, ours(err)
}

// Details is what show answers.
type Details struct {
	// Envelope says Expired as soon as its life is over; the seed and the best
	// luck follow once the row says so, because until then an open may be on its
	// way to its commit.
	Envelope Envelope
	Shares   []Share
	BestLuck int    // position of the largest share, 0 while unknown
	Seed     *Seed  // once finished
	Ticket   string // for the sender, once paid

	// Payouts go to the asking user: that of their own share first, then those that
	// people have redirected to them. That of an own share which was redirected to
	// another user comes last, and says only that it was.
	Payouts []Transfer
	Refund  *Transfer // for the sender, once something goes back
}

// Show reads an envelope for its sender, for anyone with its ticket, and for those
// to whom people have redirected a payout of it.
func (t *Teller) Show(ctx context.Context, id ID, user UserID, ticket string) (Details, error) {
	valid := t.cfg.Tickets.Valid(id, ticket)
	if ticket != "" && !valid {
		return Details{}, ErrNotFound
	}
	l, err := t.ledger(id)
	var s Snapshot
	if err == nil {
		s, err = l.Find(ctx, id)
	}
	if err != nil && valid {
		err = ours(err)
	}
	if err != nil {
		return Details{}, err
	}
	e := s.Envelope
	d := Details{Envelope: e, Shares: s.Shares, BestLuck: BestLuck(&e, s.Shares)}
	heir, err := addTransfers(ctx, l, &d, user)
	if err != nil {
		return Details{}, err
	}
	if !valid && e.Sender != user && !heir {
		return Details{}, ErrNotFound
	}
	if e.State.Finished() {
		seed := t.cfg.DrawKey.Seed(id)
		if seed.Commitment() != e.Commitment {
			return Details{}, fmt.Errorf("envelope %s: the draw key is not the one it was sent under", id)
		}
		d.Seed = &seed
	}
	if e.Sender == user && e.State != Unpaid && e.State != Closed {
		d.Ticket = t.cfg.Tickets.Mint(id)
	}
	if e.ExpiredAt(s.Now) {
		d.Envelope.State = Expired
	}
	return d, nil
}

// Payout asks for the caller's money again: those of their payouts that they had not
// confirmed in time begin anew, under the next number and without people, since the
// same payee gets the same money. What is returned is their payouts as show lists
// them. A repeat is a result. ErrPayoutHeld: one is held, and none is on its way.
func (t *Teller) Payout(ctx context.Context, id ID, user UserID, ticket string) ([]Transfer, error) {
	d, err := t.Show(ctx, id, user, ticket)
	if err != nil {
		return nil, err
	}
	if len(d.Payouts) == 0 {
		return nil, ErrNotFound
	}
	l, err := t.ledger(id)
	if err != nil {
		return nil, err
	}
	held, underWay := false, false
	for i := range d.Payouts {
		p := &d.Payouts[i]
		if p.Unconfirmed() {
			next, err := l.Again(ctx, id, p.Seq, user)
			if err != nil && !errors.Is(err, ErrPayoutHeld) {
				return nil, err
			}
			if err == nil {
				*p = next
			}
		}
		held = held || p.State == Held || p.State == Stuck
		underWay = underWay || p.State == Pending
	}
	if held && !underWay {
		return nil, ErrPayoutHeld
	}
	return d.Payouts, nil
}

// addTransfers adds the money that is on its way to the asking user, or has
// arrived, and reports whether some of it was redirected to them. A payout belongs
// to its payee: the holder of a share whose payout was redirected is told that it
// was, and not how it goes on.
func addTransfers(ctx context.Context, l Ledger, d *Details, user UserID) (heir bool, err error) {
	own := Transfer{Seq: -1}
	for _, s := range d.Shares {
		if s.User == user {
			own = PayoutOf(&d.Envelope, s) // until it has been spread
		}
	}
	if refund, owed := RefundOf(&d.Envelope); owed && refund.Payee == user {
		d.Refund = &refund
	}
	if d.Envelope.OpenedCount == 0 && d.Refund == nil {
		return false, nil // nothing is owed to anyone
	}
	transfers, err := l.Transfers(ctx, d.Envelope.ID, user, own.Seq)
	var redirected []Transfer
	for _, is := range transfers {
		switch {
		case is.Seq == own.Seq && is.Payee == user:
			own = is
		case is.Seq == own.Seq:
			own.State, own.Payee = Redirected, ""
		case is.IsRefund():
			d.Refund = &is
		case is.Seq <= len(d.Shares): // a later one is of a share opened since
			redirected = append(redirected, is)
		}
	}
	switch {
	case own.Seq < 0:
		d.Payouts = redirected
	case own.State == Redirected:
		d.Payouts = append(redirected, own)
	default:
		d.Payouts = append([]Transfer{own}, redirected...)
	}
	return len(redirected) > 0, err
}
