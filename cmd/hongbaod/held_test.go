package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/operator"
	"hongbao/internal/settest"
	"hongbao/internal/settings"
	"hongbao/orderset/audit"
)

// heldMoney is a playground where the provider refuses some of what is owed.
type heldMoney struct {
	*settest.Live
	t *testing.T
}

// ctl runs a verb and returns what it printed and its exit code.
func (p *heldMoney) ctl(args ...string) (out, said string, code int) {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), filepath.Join(p.Bin, "hongbaoctl"),
		append([]string{"--config", filepath.Join(p.Dir, "hongbao.yaml"), "--json"}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		p.t.Fatal(err)
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// must runs a verb that is to succeed.
func (p *heldMoney) must(args ...string) string {
	p.t.Helper()
	out, said, code := p.ctl(args...)
	if code != 0 {
		p.t.Fatalf("%v: exit %d: %s", args, code, said)
	}
	return out
}

// wantRefused runs a verb that is to fail for a reason, and to say what next.
func (p *heldMoney) wantRefused(reason string, args ...string) {
	p.t.Helper()
	if out, said, code := p.ctl(args...); code != 1 || !strings.Contains(said, reason) || !strings.Contains(said, "hongbaoctl held list") {
		p.t.Errorf("%v: exit %d, %s%s, want it refused: %s", args, code, out, said, reason)
	}
}

// held is "held list" by number; its exit code says whether there are any.
func (p *heldMoney) held() map[string]operator.HeldRow {
	p.t.Helper()
	out, said, code := p.ctl("held", "list")
	var list operator.Held
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		p.t.Fatalf("held list: %v: exit %d, %s", err, code, said)
	}
	if (code == 1) != (len(list.Held) > 0) || code > 1 {
		p.t.Errorf("held list: exit %d with %d rows: %s", code, len(list.Held), said)
	}
	rows := map[string]operator.HeldRow{}
	for _, row := range list.Held {
		rows[row.No] = row
	}
	return rows
}

// movements are the money that has left us, by number, in the provider's ledger.
func (p *heldMoney) movements() map[string]string {
	p.t.Helper()
	a, err := p.Call(p.t.Context(), http.MethodGet, p.PaymentSimulator+"/simulator/ledger", "", "")
	if err != nil {
		p.t.Fatal(err)
	}
	var page struct {
		Movements []struct {
			Kind, No, Party string
			AmountFen       int64 `json:"amount_fen"`
		}
	}
	if err := json.Unmarshal(a.Body, &page); err != nil {
		p.t.Fatalf("%v: %s", err, a.Body)
	}
	moved := map[string]string{}
	for _, m := range page.Movements {
		if m.Kind != "charge" {
			moved[m.No] += fmt.Sprintf("%s of %d to %s", m.Kind, m.AmountFen, m.Party)
		}
	}
	return moved
}

// wantUnauthorized asks for a proposal without a token, and as the IM backends' user.
func (p *heldMoney) wantUnauthorized(no string) {
	p.t.Helper()
	for _, user := range []string{"", "ann"} {
		for _, verb := range []string{"release", "redirect?payee=" + user, "approve"} {
			a, err := p.Call(p.t.Context(), http.MethodPost, p.Operator+"/held/"+no+"/"+verb, user, "")
			if err != nil || a.Status != http.StatusUnauthorized {
				p.t.Errorf("%s with the token of an IM backend for %q: %v %+v, want 401", verb, user, err, a)
			}
		}
	}
}

// wantPaid waits until a transfer is posted under a number, and fails unless the
// provider has moved the money under that number alone.
func (p *heldMoney) wantPaid(no, payee string, amount int64) {
	p.t.Helper()
	id, seq, round, err := envelope.ParseTransferNo(no)
	if err != nil {
		p.t.Fatal(err)
	}
	await(p.t, no+" is posted", func() bool {
		var posted bool
		err := p.Audit[id.Set()].QueryRowContext(p.t.Context(),
			"SELECT state = 'posted' AND payee_id = ? FROM transfer WHERE order_id = ? AND seq = ? AND round = ?", payee, id, seq, round).Scan(&posted)
		if err != nil {
			p.t.Fatal(err)
		}
		return posted
	})
	moved := p.movements()
	if want := fmt.Sprintf("payout of %d to %s", amount, payee); moved[no] != want {
		p.t.Errorf("%s: the provider's ledger has %q, want %q", no, moved[no], want)
	}
	if first := envelope.TransferNo(id, seq, 1); moved[first] != "" {
		p.t.Errorf("%s: the provider refused it, and has %q", first, moved[first])
	}
}

// opened takes shares of an envelope.
func (p *heldMoney) opened(order string, users ...string) string {
	p.t.Helper()
	id, ticket := p.Paid(p.t, "sender", order)
	c := newCrowd(p.Live)
	for _, user := range users {
		if err := c.open(p.t.Context(), id, ticket, user); err != nil {
			p.t.Fatal(err)
		}
	}
	return id
}

// endLife makes an envelope's last hour come now.
func (p *heldMoney) endLife(id string) {
	p.t.Helper()
	e := envelope.ID(id)
	update := fmt.Sprintf("UPDATE envelope_%d_%02d SET expires_at = UTC_TIMESTAMP(3) WHERE order_id = ?", e.TableDigit(), e.Day().OfMonth())
	if _, err := p.Admin(p.t, int(e.Set())).ExecContext(p.t.Context(), update, id); err != nil {
		p.t.Fatal(err)
	}
}

// FH13: what one operator proposes moves when another approves it.
func TestHeldMoneyMovesWithTwoApprovals(t *testing.T) {
	for _, product := range []string{settings.PayoutBills, settings.PayoutBatches} {
		t.Run(product, func(t *testing.T) { heldMoneyMoves(t, product) })
	}
}

func heldMoneyMoves(t *testing.T, product string) {
	p := &heldMoney{settest.Playground(t, "--payouts", product), t}
	const lies = `{"rules": [{"lie": "refuse_limit", "kind": "payout", "party": "unlucky", "times": 1},
		{"lie": "refuse_closed", "kind": "payout", "party": "gone", "times": 1000}, {"lie": "refuse_refund", "kind": "refund", "times": 1000}]}`
	if a, err := p.Call(t.Context(), http.MethodPut, p.PaymentSimulator+"/simulator/lies", "", lies); err != nil || a.Status != http.StatusOK {
		t.Fatalf("lies: %v %+v", err, a)
	}
	stale := p.opened(`{"kind":"equal","share_fen":150,"count":2,"group_id":"g"}`, "happy")
	p.endLife(stale) // the sweep comes by while the others are decided about
	id := p.opened(`{"kind":"equal","share_fen":100,"count":3,"group_id":"g"}`, "unlucky", "gone", "happy")
	first := func(seq int) string { return envelope.TransferNo(envelope.ID(id), seq, 1) }
	second := func(seq int) string { return envelope.TransferNo(envelope.ID(id), seq, 2) }
	await(t, "two payouts are held", func() bool {
		held := p.held()
		return held[first(1)].PayeeID == "unlucky" && held[first(2)].PayeeID == "gone"
	})
	p.wantUnauthorized(first(1))
	if row := p.held()[first(1)]; row.Proposal != nil || row.AmountFen != 100 || row.Reason == "" || row.State != "held" || string(row.OrderID) != id {
		t.Errorf("held as %+v", row)
	}
	p.wantRefused("no proposal", "held", "approve", first(1), "--as", "ben")

	p.must("held", "release", first(1), "--as", "ann")
	p.must("held", "redirect", first(2), "--payee", "carl", "--as", "ann")
	held := p.held()
	if got := held[first(1)].Proposal; got == nil || got.Action != "release" || got.By != "ann" || time.Since(got.At).Abs() > time.Minute {
		t.Errorf("shown to who approves: %+v", got)
	}
	if got := held[first(2)].Proposal; got == nil || got.Action != "redirect" || got.By != "ann" || got.PayeeID != "carl" {
		t.Errorf("shown to who approves: %+v", got)
	}
	p.wantUnauthorized(first(1))
	p.wantRefused("must not be who proposed it", "held", "approve", first(1), "--as", "ann")
	p.wantRefused("ann", "held", "redirect", first(1), "--payee", "ben", "--as", "ben")
	if moved := p.movements(); moved[first(1)]+moved[second(1)]+moved[first(2)]+moved[second(2)] != "" {
		t.Errorf("one person has moved money: %v", moved)
	}
	for seq, payee := range map[int]string{1: "unlucky", 2: "carl"} {
		if out := p.must("held", "approve", first(seq), "--as", "ben"); !strings.Contains(out, `"`+second(seq)+`"`) {
			t.Errorf("approved as %s", out)
		}
		p.wantPaid(second(seq), payee, 100)
	}
	await(t, "what is paid in full is settled", func() bool { return show(t, p.Live, "sender", id).State == string(envelope.Settled) })
	p.refundStaysHeld(stale)
}

// refundStaysHeld is about an envelope of two shares of 150 fen, of which one was
// opened before its life was over.
func (p *heldMoney) refundStaysHeld(id string) {
	p.t.Helper()
	no := envelope.TransferNo(envelope.ID(id), 0, 1)
	await(p.t, "the refund is held", func() bool { _, is := p.held()[no]; return is })
	if row := p.held()[no]; row.PayeeID != "sender" || row.AmountFen != 150 || row.Reason != "CLOSED" {
		p.t.Errorf("held as %+v", row)
	}
	p.wantRefused("can only be released", "held", "redirect", no, "--payee", "ann", "--as", "ann")
	p.must("held", "release", no, "--as", "ann")
	p.must("held", "approve", no, "--as", "ben")
	again := envelope.TransferNo(envelope.ID(id), 0, 2)
	await(p.t, "the refund is refused again", func() bool { _, is := p.held()[again]; return is })
	if held := p.held(); len(held) != 1 {
		p.t.Errorf("held are %v, want the refund alone", held)
	}
	if moved := p.movements(); moved[no]+moved[again] != "" {
		p.t.Errorf("a refused refund has moved: %v", moved)
	}
	if s := show(p.t, p.Live, "sender", id); s.State != string(envelope.Expired) {
		p.t.Errorf("its refund is owed and it is %s", s.State)
	}
	var sum audit.Books
	for _, books := range p.CheckBooks(p.t) {
		sum.Paid += books.Paid
		sum.Posted += books.Posted
		sum.Held += books.Held
		sum.HeldCount += books.HeldCount
	}
	if sum.Paid != 600 || sum.Posted != 450 || sum.Held != 150 || sum.HeldCount != 1 {
		p.t.Errorf("paid %v, posted %v, held %v in %d: the money has left the equation", sum.Paid, sum.Posted, sum.Held, sum.HeldCount)
	}
}
