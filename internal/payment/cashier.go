package payment

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"hongbao/envelope"
)

const (
	providerNoBytesMax = 64   // of the provider's number of a transfer
	codeBytesMax       = 64   // of the reason of a refusal
	hintBytesMax       = 1024 // of what the payee's wallet needs
	// payoutMemory is how long the provider can be asked about a payout: 30 days,
	// less one for clocks and queues.
	payoutMemory = 29 * 24 * time.Hour
)

var errNoTransfer = errors.New("no such transfer")

// wire is how one kind of transfer is asked for and about.
type wire struct {
	name    string // for metrics and errors
	path    string // where it is placed
	about   string // where it is asked about
	request any    // the body that places it
	read    func(answer []byte, t *envelope.Transfer) (envelope.TransferStatus, error)
}

func (c *Client) wire(t *envelope.Transfer) (wire, error) {
	if _, _, _, err := envelope.ParseTransferNo(t.No()); err != nil {
		return wire{}, fmt.Errorf("payment: %w", err)
	}
	if t.IsRefund() {
		return c.refundWire(t)
	}
	return c.payoutWire(t)
}

// Place implements [envelope.Cashier]. A payout the provider refuses because of
// its payee is refused; any other final refusal rejects the request. A refund is
// never refused so: its number is not spent, and is asked for again (FS8). A
// [envelope.BusyError] means that nothing
// was done: the provider is out of reach, or our account is short ("payment_funds").
// Everything else is [envelope.ErrUnknownOutcome].
func (c *Client) Place(ctx context.Context, t envelope.Transfer) (status envelope.TransferStatus, err error) {
	w, err := c.wire(&t)
	if err != nil {
		return envelope.TransferStatus{}, err
	}
	defer c.metrics.observe(w.name, time.Now(), &err)
	body, err := json.Marshal(w.request)
	if err != nil {
		return envelope.TransferStatus{}, fmt.Errorf("payment %s %s: %w", w.name, t.No(), err)
	}
	answer, err := c.send(ctx, call{name: w.name, method: http.MethodPost, target: w.path, body: body, moves: true})
	if refused, final := finalRefusal(err); final {
		return c.refused(ctx, &t, refused)
	}
	if err != nil {
		return envelope.TransferStatus{}, err
	}
	return c.statusOf(w.name, &t, answer, w.read)
}

// refused is what becomes of a transfer whose placing was refused. The refusal is
// of this request; an earlier one under the same number may have been carried
// out, by other terms even, so the number is looked up before it is taken
// for granted that no money moved.
func (c *Client) refused(ctx context.Context, t *envelope.Transfer, refused *envelope.RefusedError) (envelope.TransferStatus, error) {
	status, err := c.Query(ctx, *t)
	switch {
	case err != nil:
		return envelope.TransferStatus{}, fmt.Errorf("payment %s: %w: %w, and asked: %v", t.No(), envelope.ErrUnknownOutcome, refused, err)
	case status.Progress != envelope.ProgressAbsent:
		return status, nil
	case refusesPayee(refused.Code) && !t.IsRefund():
		return envelope.TransferStatus{No: t.No(), Progress: envelope.ProgressRefused, Code: refused.Code}, nil
	}
	return envelope.TransferStatus{No: t.No(), Progress: envelope.ProgressRejected, Code: refused.Code}, nil
}

// refusesPayee lists the codes that say: this payee can not be given this, and
// the number is done with. A code that is not here never ends a transfer (FG5).
func refusesPayee(code string) bool {
	switch code {
	case "ACCOUNT_FROZEN", "ACCOUNT_NOT_EXIST", "DAY_RECEIVED_COUNT_EXCEED", "DAY_RECEIVED_QUOTA_EXCEED",
		"MONTH_RECEIVED_QUOTA_EXCEED", "OPENID_INVALID", "PAYEE_ACCOUNT_ABNORMAL", "REALNAME_ACCOUNT_RECEIVED_QUOTA_EXCEED",
		"REAL_NAME_CHECK_FAIL", "RECEIVE_ACCOUNT_NOT_PERMMIT", "TRADE_OVERDUE", "TRANSFER_QUOTA_EXCEED",
		"TRANSFER_RISK", "USER_ACCOUNT_ABNORMAL", "USER_ACCOUNT_LIMIT":
		return true
	}
	return false
}

// Query implements [envelope.Cashier]. The errors are a [envelope.BusyError] while
// the provider is out, [envelope.ErrUnknownOutcome], and a final [envelope.RefusedError].
// Absent is not said of a payout so old that the provider may have forgotten it.
func (c *Client) Query(ctx context.Context, t envelope.Transfer) (status envelope.TransferStatus, err error) {
	w, err := c.wire(&t)
	if err != nil {
		return envelope.TransferStatus{}, err
	}
	name := "query_" + w.name
	defer c.metrics.observe(name, time.Now(), &err)
	answer, err := c.send(ctx, call{
		name: name, method: http.MethodGet, target: w.about,
		means: noTransfer(),
	})
	if errors.Is(err, errNoTransfer) {
		if err := c.forgotten(name, t.No(), t.PlacedAt); err != nil && !t.IsRefund() {
			return envelope.TransferStatus{}, err
		}
		return envelope.TransferStatus{No: t.No(), Progress: envelope.ProgressAbsent}, nil
	}
	if err != nil {
		return envelope.TransferStatus{}, err
	}
	return c.statusOf(name, &t, answer, func(answer []byte, t *envelope.Transfer) (envelope.TransferStatus, error) {
		status, err := w.read(answer, t)
		if err == nil && status.Amount == 0 {
			err = errors.New("the answer names no amount")
		}
		return status, err
	})
}

// noTransfer is how the provider says that it does not know a number.
func noTransfer() map[string]error {
	return map[string]error{"NOT_FOUND": errNoTransfer, codeNoResource: errNoTransfer}
}

// forgotten is why the provider's not knowing a payout that was first placed at
// since says nothing; nil says that it does. What was never placed it cannot have
// forgotten, however old it is.
func (c *Client) forgotten(name, no string, since time.Time) error {
	age := c.cfg.Now().Sub(since)
	if since.IsZero() || age <= payoutMemory {
		return nil
	}
	return fmt.Errorf("payment %s %s: %w: the provider has forgotten payouts of %v ago", name, no, envelope.ErrUnknownOutcome, age.Round(time.Hour))
}

// statusOf reads a verified answer about t. One that is about something else, or
// that has an unknown status, is an unknown outcome.
func (c *Client) statusOf(name string, t *envelope.Transfer, answer []byte,
	read func([]byte, *envelope.Transfer) (envelope.TransferStatus, error),
) (envelope.TransferStatus, error) {
	status, err := read(answer, t)
	if err == nil && (status.No != t.No() || status.Amount != 0 && status.Amount != t.Amount) {
		err = fmt.Errorf("the answer is about %q of %d fen", cut(status.No, codeBytesMax), status.Amount)
	}
	if err != nil {
		return envelope.TransferStatus{}, fmt.Errorf("payment %s %s: %w: %w", name, t.No(), envelope.ErrUnknownOutcome, err)
	}
	return status, nil
}

func checkProviderNo(no string) error {
	if !isIdentifier(no) || len(no) > providerNoBytesMax {
		return fmt.Errorf("want a number of the provider's of 1 to %d letters or digits, have %q", providerNoBytesMax, cut(no, providerNoBytesMax))
	}
	return nil
}
