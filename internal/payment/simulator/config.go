package simulator

import (
	"cmp"
	"crypto/rsa"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"time"

	"hongbao/internal/payment/apiv3"
	"hongbao/internal/payment/simulator/dispatch"
	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/wire"
)

const (
	scheduleStepsMax = 64
	scheduleWaitMax  = 24 * time.Hour
	delayMax         = 24 * time.Hour
	apiv3KeyBytes    = 32
)

// Config is one provider with one merchant. All of it is required but where a
// field says otherwise.
type Config struct {
	MerchantID     string
	AppID          string
	MerchantSerial string         // that the merchant signs under
	MerchantKey    *rsa.PublicKey // verifies the merchant

	PlatformSerial string          // that we sign under; empty is the serial of our certificate
	PlatformKey    *rsa.PrivateKey `json:"-"`
	APIv3Key       apiv3.Secret    // encrypts notifications

	LedgerFile string // created when absent; one process at a time
	PublicURL  string // scheme://host:port under which payers reach us; code_url starts so

	// Schedule is how long to wait after each notification that was not taken;
	// at its end we give up. Empty is [DefaultSchedule].
	Schedule []time.Duration

	// How long things take; zero is the default.
	RefundAfter   time.Duration // a refund is PROCESSING; 100 ms
	ConfirmAfter  time.Duration // a payee hesitates; 100 ms, or [Never]
	TransferAfter time.Duration // a payout is TRANSFERING, or CANCELING; 20 ms
	// TransferMinFen is the least payout that is not refused; zero is 1.
	TransferMinFen int64
	// PayoutAccount is what payouts leave from, BASIC, which is what empty means,
	// or OPERATION. What was accepted keeps its account.
	PayoutAccount string
	// BillsAtOnce gives the statements of a day while it lasts. Otherwise they are
	// there from ten in the morning of the next.
	BillsAtOnce bool

	Now func() time.Time
	Log *slog.Logger
}

// Never is for Config.ConfirmAfter: payees confirm on their page or not at all.
const Never = -1 * time.Nanosecond

// String names the merchant and no key.
func (c Config) String() string {
	return fmt.Sprintf("simulated provider of merchant %s at %s", c.MerchantID, c.PublicURL)
}

// Format prints String under every verb, so that no verb reaches the keys.
func (c Config) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, c.String()) }

// LogValue is String.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// withDefaults fills in what may be left out.
func (c Config) withDefaults() Config {
	if len(c.Schedule) == 0 {
		c.Schedule = dispatch.DefaultSchedule()
	}
	c.TransferMinFen = cmp.Or(c.TransferMinFen, 1)
	c.PayoutAccount = cmp.Or(c.PayoutAccount, ledger.AccountBasic)
	c.RefundAfter = cmp.Or(c.RefundAfter, 100*time.Millisecond)
	c.ConfirmAfter = cmp.Or(c.ConfirmAfter, 100*time.Millisecond)
	c.TransferAfter = cmp.Or(c.TransferAfter, 20*time.Millisecond)
	return c
}

func (c *Config) validate() error {
	if err := c.checkDelays(); err != nil {
		return err
	}
	for _, id := range []struct{ name, value string }{
		{"MerchantID", c.MerchantID}, {"AppID", c.AppID}, {"MerchantSerial", c.MerchantSerial},
		{"LedgerFile", c.LedgerFile},
	} {
		if id.value == "" {
			return fmt.Errorf("simulator: %s: want one", id.name)
		}
	}
	public, err := url.Parse(c.PublicURL)
	switch {
	case err != nil || public.Scheme == "" || public.Host == "" || public.Path != "" || public.RawQuery != "":
		return fmt.Errorf("simulator: PublicURL: want scheme://host and nothing after it, have %q", c.PublicURL)
	case c.MerchantKey == nil || c.PlatformKey == nil:
		return fmt.Errorf("simulator: MerchantKey, PlatformKey: want RSA keys")
	case len(c.APIv3Key) != apiv3KeyBytes:
		return fmt.Errorf("simulator: APIv3Key: want %d bytes, have %d", apiv3KeyBytes, len(c.APIv3Key))
	case c.Now == nil || c.Log == nil:
		return fmt.Errorf("simulator: Now, Log: want both")
	case c.TransferMinFen < 1 || c.TransferMinFen > wire.TransferFenMax:
		return fmt.Errorf("simulator: TransferMinFen: want 1 to %d, have %d", wire.TransferFenMax, c.TransferMinFen)
	case c.PayoutAccount != ledger.AccountBasic && c.PayoutAccount != ledger.AccountOperation:
		return fmt.Errorf("simulator: PayoutAccount: want %s or %s, have %q", ledger.AccountBasic, ledger.AccountOperation, c.PayoutAccount)
	case len(c.Schedule) > scheduleStepsMax:
		return fmt.Errorf("simulator: Schedule: want at most %d waits, have %d", scheduleStepsMax, len(c.Schedule))
	}
	for _, wait := range c.Schedule {
		if wait <= 0 || wait > scheduleWaitMax {
			return fmt.Errorf("simulator: Schedule: want 0 < wait <= %v, have %v", scheduleWaitMax, wait)
		}
	}
	return nil
}

func (c *Config) checkDelays() error {
	for _, d := range []struct {
		name    string
		value   time.Duration
		neverOK bool
	}{{"RefundAfter", c.RefundAfter, false}, {"ConfirmAfter", c.ConfirmAfter, true}, {"TransferAfter", c.TransferAfter, false}} {
		if d.value > delayMax || d.value < 0 && !(d.neverOK && d.value == Never) {
			return fmt.Errorf("simulator: %s: want 0 <= wait <= %v, have %v", d.name, delayMax, d.value)
		}
	}
	return nil
}
