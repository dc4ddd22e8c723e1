package envelope

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Transfer is money owed and carried out once: the payout of one share, or
// the refund of what is left.
//
//	pending ──the provider says done──▶ posted
//	   ├──the provider refuses for good──▶ held ──two people release it──▶ pending, next round
//	   │     its payee did not confirm it └──its payee asks for it again──▶ pending, next round
//	   └──it does not go on by itself──▶ stuck ──the cause is gone──▶ pending, under the same number
type Transfer struct {
	OrderNo    ID
	Seq        int    // the position of the share it pays out; 0 is the refund
	Round      int    // 1 to RoundMax; the next one only after the last was refused for good
	Payee      UserID // the opener; for a refund the sender
	Amount     Fen
	Charged    Fen // what the sender paid; the provider wants it beside a refund
	State      TransferState
	Placed     bool      // the provider has been asked to carry it out
	Attempts   int       // calls about it so far
	ProviderNo string    // the provider's number for it, once known
	Hint       string    // what the payee's wallet needs to confirm a payout (package_info)
	Reason     string    // held or stuck: the provider's code
	CreatedAt  time.Time // when this round began to be owed
	PlacedAt   time.Time // when the provider was first asked to carry out this round; zero if never
	DueAt      time.Time // pending or stuck: when a relay looks at it next; held: since when
}

// TransferState is where a transfer is.
type TransferState string

// The states, spelled as in SQL and JSON.
const (
	Pending TransferState = "pending" // owed; asked or not, done or not
	Posted  TransferState = "posted"  // done, for ever
	Held    TransferState = "held"    // refused for good; people decide, the money stays owed
	// Stuck is owed, and asked about or for by itself as pending is; but it does not
	// go on before people have acted at the provider or in the settings. What is
	// stuck may still be carried out under its number, as long as it is Placed.
	Stuck TransferState = "stuck"

	// Redirected is what the holder of a share sees of its payout once that goes to
	// another payee. No row is in this state.
	Redirected TransferState = "redirected"
)

// RoundMax bounds how often people may release one transfer again.
const RoundMax = 9

// IsRefund tells the refund from a payout.
func (t *Transfer) IsRefund() bool { return t.Seq == 0 }

// No is the provider's number for the transfer: order ID, "P" and the share's
// position, or "R" for the refund. It follows from what is owed, so any call that
// carries it out, however often, uses the same one (I7). A round after the first
// is another intent, which people have decided on, and says so in its number.
func (t *Transfer) No() string { return TransferNo(t.OrderNo, t.Seq, t.Round) }

// TransferNo is [Transfer.No].
func TransferNo(id ID, seq, round int) string {
	no := string(id) + "R"
	if seq > 0 {
		no = fmt.Sprintf("%sP%03d", id, seq)
	}
	if round > 1 {
		no += "X" + strconv.Itoa(round)
	}
	return no
}

// ParseTransferNo reads a number back. Anything that TransferNo would not make
// is an error.
func ParseTransferNo(no string) (id ID, seq, round int, err error) {
	bad := fmt.Errorf("transfer number %q: want an order ID, then R or P and three digits", cutString(no))
	if len(no) <= idDigits {
		return "", 0, 0, bad
	}
	if id, err = ParseID(no[:idDigits]); err != nil {
		return "", 0, 0, bad
	}
	rest, again, _ := strings.Cut(no[idDigits:], "X")
	round = 1
	if again != "" {
		round, _ = strconv.Atoi(again)
	}
	if digits, payout := strings.CutPrefix(rest, "P"); payout {
		seq, _ = strconv.Atoi(digits)
	}
	if seq < 0 || seq > countCeiling || round < 1 || round > RoundMax || TransferNo(id, seq, round) != no {
		return "", 0, 0, bad
	}
	return id, seq, round, nil
}

func cutString(s string) string { return s[:min(len(s), 40)] }

// Progress is what the provider says has become of a transfer.
type Progress string

// What can have become of it.
const (
	ProgressUnknown  Progress = "unknown"        // asked, and no answer that can be believed: never a failure
	ProgressAbsent   Progress = "absent"         // the provider does not know the number today: not a failure either
	ProgressUnderWay Progress = "under_way"      // accepted
	ProgressAwaiting Progress = "awaiting_payee" // the payee must confirm receipt
	ProgressDone     Progress = "done"           // the money has moved
	ProgressRefused  Progress = "refused"        // for good: the money has not moved and will not
	ProgressStuck    Progress = "stuck"          // it does not go on before people have acted; then it may, under this number
	ProgressRejected Progress = "rejected"       // the request was refused for what it is, and the provider does not know the number
)

// TransferStatus is the provider's word about one number.
type TransferStatus struct {
	No         string
	Progress   Progress
	Amount     Fen // 0 when the provider does not say
	ProviderNo string
	Hint       string
	Code       string // refused, stuck or rejected: why
}

// TransferUpdate is a status to be recorded, and when to ask again if the transfer
// is still pending afterwards.
type TransferUpdate struct {
	TransferStatus
	Wait time.Duration
	// Attempt is the claim that the status answers, as its Attempts; 0 when it answers
	// none. What was rejected stays so until the next claim only.
	Attempt int
}

// ErrTransferConflict says that the provider's word contradicts what is posted
// or owed. Nothing changes; people look at it.
var ErrTransferConflict = errors.New("the provider contradicts what is recorded")

// Hear is the transfer after the provider's word. A repeat changes nothing, and
// what is posted or held stays so (I8). What is stuck goes on as soon as the
// provider says anything else of it.
func (t Transfer) Apply(s TransferStatus) (Transfer, error) {
	if s.No != t.No() || s.Amount != 0 && s.Amount != t.Amount {
		return t, fmt.Errorf("transfer %s of %d fen: the provider speaks of %s, %d fen: %w", t.No(), t.Amount, s.No, s.Amount, ErrTransferConflict)
	}
	moved, refused := s.Progress == ProgressDone, s.Progress == ProgressRefused
	if t.State == Posted && refused || t.State == Held && moved {
		return t, fmt.Errorf("transfer %s is %s, and now %s %q: %w", t.No(), t.State, s.Progress, s.Code, ErrTransferConflict)
	}
	if t.State == Posted || t.State == Held {
		return t, nil
	}
	t.Placed = s.Progress != ProgressAbsent && s.Progress != ProgressRejected
	if s.ProviderNo != "" {
		t.ProviderNo = s.ProviderNo
	}
	if s.Hint != "" {
		t.Hint = s.Hint
	}
	switch s.Progress {
	case ProgressDone:
		t.State, t.Reason, t.Hint = Posted, "", ""
	case ProgressRefused:
		t.State, t.Reason, t.Hint = Held, s.Code, ""
	case ProgressStuck, ProgressRejected:
		t.State, t.Reason = Stuck, s.Code
	case ProgressUnknown: // says nothing, not even that a cause is gone
	default:
		t.State, t.Reason = Pending, ""
	}
	return t, nil
}

// ErrNotHeld refuses to begin the next round of a transfer.
var ErrNotHeld = errors.New("is not held")

// The provider's codes of a payout that ended because its payee had not confirmed it:
// their time was over, or it was taken back before.
const (
	CodeOverdue   = "OVERDUE_CLOSE"
	CodeCancelled = "CANCELLED"
)

// Unconfirmed reports whether it is a payout that its payee did not confirm in time.
// It is final under its number (I7), and no fault of anything but time: its payee may
// have it under the next number by asking for it again.
func (t *Transfer) Unconfirmed() bool {
	return t.State == Held && !t.IsRefund() && (t.Reason == CodeOverdue || t.Reason == CodeCancelled)
}

// MayBeginNext is why people cannot have the next round of the transfer begun,
// under a new number; nil says that they can. A new number is for money that can
// not move under the old one any more (I7): one that was refused for good, or a
// payout that was never accepted and is not being asked for.
func (t *Transfer) MayBeginNext() error {
	switch {
	case t.State == Held || t.State == Stuck && !t.Placed && !t.IsRefund():
		return nil
	case t.State == Stuck && t.Placed:
		return fmt.Errorf("%w but stuck: %q; the provider may still carry it out under this number, and it goes on by itself when it does", ErrNotHeld, t.Reason)
	case t.State == Stuck:
		return fmt.Errorf("%w but stuck: %q; a refund is asked for again under this number until it is taken: remove the cause", ErrNotHeld, t.Reason)
	}
	return ErrNotHeld
}
