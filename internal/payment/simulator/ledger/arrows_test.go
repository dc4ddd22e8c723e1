package ledger

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"hongbao/internal/payment/simulator/refusal"
)

func TestBatchesAreBoundedByTheirDetails(t *testing.T) {
	j, err := Open(filepath.Join(t.TempDir(), "ledger.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.file.Close()
	j.Book.details = detailsMax - 1
	want := &BatchTerms{Details: make([]BatchDetail, 2)}
	if r, err := j.Book.AcceptBatch("batch1", want, time.Now()); r != nil || err != refusal.ErrFull {
		t.Errorf("%+v, %v", r, err)
	}
	want.Details = want.Details[:1]
	if r, err := j.Book.AcceptBatch("batch1", want, time.Now()); r == nil || err != nil {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestALedgerOfImpossibleMovesIsRefused has the arrows, one by one, as
// lines of a file that no journal writes.
func TestALedgerOfImpossibleMovesIsRefused(t *testing.T) {
	line := func(kind, no, rest string) string {
		return `{"kind":"` + kind + `","order_no":"` + no + `","at":"2026-01-01T00:00:00Z"` + rest + "}\n"
	}
	charge := line(chargePlaced, "c", `,"order":{"token":"t","amount_fen":10}`)
	money := charge + line(chargePaid, "c", `,"transaction_id":"4"`)
	back := line(refundAccepted, "r", `,"transaction_id":"5","refund":{"out_trade_no":"c","amount_fen":6,"total_fen":10}`)
	out := line(transferAccepted, "p", `,"transaction_id":"6","transfer":{"openid":"u","amount_fen":1,"token":"t"}`)
	word := line(transferConfirmed, "p", "")
	for what, content := range map[string]string{
		"paid after it closed":       charge + line(chargeClosed, "c", "") + line(chargePaid, "c", `,"transaction_id":"4"`),
		"closed after it was paid":   money + line(chargeClosed, "c", ""),
		"refunded unpaid":            charge + back,
		"refunded twice":             money + back + back,
		"refunded too much":          money + back + line(refundAccepted, "s", `,"transaction_id":"5","refund":{"out_trade_no":"c","amount_fen":6}`),
		"ended twice":                money + back + line(RefundEnded, "r", `,"end":"SUCCESS"`) + line(RefundEnded, "r", `,"end":"SUCCESS"`),
		"a refund of nothing ended":  money + line(RefundEnded, "r", `,"end":"SUCCESS"`),
		"notified before its end":    money + back + line(RefundNotified, "r", ""),
		"paid out twice":             out + word + line(TransferEnded, "p", `,"end":"SUCCESS"`) + line(TransferEnded, "p", `,"end":"SUCCESS"`),
		"paid out unconfirmed":       out + line(TransferEnded, "p", `,"end":"SUCCESS"`),
		"paid out canceling":         out + line(transferCanceling, "p", "") + line(TransferEnded, "p", `,"end":"SUCCESS"`),
		"cancelled but confirmed":    out + word + line(TransferEnded, "p", `,"end":"CANCELLED"`),
		"canceling but confirmed":    out + word + line(transferCanceling, "p", ""),
		"confirmed out of nothing":   word,
		"accepted twice":             out + out,
		"told of a payout too early": out + line(TransferNotified, "p", ""),
	} {
		name := filepath.Join(t.TempDir(), "ledger.jsonl")
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if j, err := Open(name); err == nil {
			j.file.Close()
			t.Errorf("%s: accepted", what)
		}
	}
}
