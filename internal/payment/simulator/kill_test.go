package simulator

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hongbao/envelope"
	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/states"
)

// child is a simulator in a process of its own.
func child(t testing.TB, dir string) (cmd *exec.Cmd, base string) {
	t.Helper()
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() }) // both are no-ops after the test did them
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd, "http://" + strings.TrimSpace(addr)
}

// TestAKillLosesNoAcknowledgedPayment kills the process among
// payers, three times over, and compares what was said with what is left.
func TestAKillLosesNoAcknowledgedPayment(t *testing.T) {
	const lives, orders, acksBeforeKill = 3, 60, 25
	dir := t.TempDir()
	m := newMerchant(t)
	m.dir = dir
	said := map[string]string{} // transaction of each order that was acknowledged
	heard := map[envelope.ID]bool{}
	for life := range lives {
		cmd, base := child(t, dir)
		m.use(base)
		m.agree(said)
		var urls []string
		for i := range orders {
			urls = append(urls, m.place(m.charge(life*orders+i)))
		}
		acks := make(chan receipt, orders)
		m.payAll(urls, acks)
		for range acksBeforeKill {
			r := <-acks
			said[r.OrderNo] = r.TransactionID
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed, and says so
		for r := range acks {
			said[r.OrderNo] = r.TransactionID
		}
	}

	cfg, err := configIn(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	m.start(cfg)
	m.agree(said)
	for no, e := range m.books() {
		for e.State == states.Paid && !heard[envelope.ID(no)] { // some are notified twice, none never
			heard[(<-m.notified).OrderNo] = true
		}
	}
}

// payAll pays with eight payers; acks is closed when the last has ended.
func (m *merchant) payAll(urls []string, acks chan<- receipt) {
	work := make(chan string, len(urls))
	for _, url := range urls {
		work <- url
	}
	close(work)
	var payers sync.WaitGroup
	for range 8 {
		payers.Go(func() {
			for url := range work {
				if r, status, err := m.pay(url); err == nil && status == 200 {
					acks <- r
				}
			}
		})
	}
	go func() { payers.Wait(); close(acks) }()
}

// agree holds the ledger against what payers were told.
func (m *merchant) agree(said map[string]string) {
	m.t.Helper()
	books := m.books()
	for no, transaction := range said {
		if e := books[no]; e.State != states.Paid || e.TransactionID != transaction || e.AmountFen != 10000 {
			m.t.Errorf("order %s was acknowledged as %s, the ledger has %+v", no, transaction, e)
		}
	}
}

// TestAKillMovesEverythingOnce kills the process among
// merchants, and again while it takes up what it had accepted. The merchants
// repeat everything, answered or not. All of it moves once, and what was seen to
// have moved stays as it was (FG1).
func TestAKillMovesEverythingOnce(t *testing.T) {
	const lives, perLife, endsBeforeKill = 3, 60, 30
	dir := t.TempDir()
	linkKeys(t, dir)
	cfg, err := configIn(dir, "http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(t, cfg)
	var seen []ledger.Movement
	asked := map[string]object{} // by number
	for life := range lives {
		cmd, base := child(t, dir)
		d.base = base
		if life == 0 {
			d.paid("order-1", lives*perLife)
		}
		d.repeat(asked)
		wait := d.moveMuch(life, perLife, asked)
		for range endsBeforeKill {
			d.hear()
		}
		seen = d.movements()
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed, and says so
		wait()
		d.web.CloseIdleConnections()
	}

	_, d.base = child(t, dir)
	d.repeat(asked)
	for no := range asked {
		switch {
		case strings.HasPrefix(no, "payout"):
			d.until(transferTarget(no), "state", states.Transferred)
		case strings.HasPrefix(no, "batch"):
			d.until(batchTarget(no), "transfer_batch.batch_status", states.BatchFinished)
		default:
			d.until(refundTarget(no), "status", states.RefundSuccess)
		}
	}
	moved := map[string]int{}
	all := d.movements()
	for i, m := range all {
		moved[m.No]++
		if m.ID != int64(i+1) || i < len(seen) && !m.At.Equal(seen[i].At) || i < len(seen) && m.ProviderNo != seen[i].ProviderNo {
			t.Errorf("movement %d is %+v", i+1, m)
		}
	}
	numbers := 1 // of the charge
	for no := range asked {
		for _, number := range moving(no) {
			numbers++
			if moved[number] != 1 {
				t.Errorf("%s moved %d times", number, moved[number])
			}
		}
	}
	if len(all) != numbers {
		t.Errorf("%d movements of %d numbers", len(all), numbers)
	}
}

// killedBatch is how many payouts the batches have among which a provider is killed.
const killedBatch = 5

// moving are the numbers under which money moves for one that was asked for.
func moving(no string) (numbers []string) {
	if !strings.HasPrefix(no, "batch") {
		return []string{no}
	}
	for i := range killedBatch {
		numbers = append(numbers, fmt.Sprint(no, "x", i))
	}
	return numbers
}

// moveMuch asks for refunds, payouts and batches, eight at a time, until wait returns.
func (d *desk) moveMuch(life, n int, asked map[string]object) (wait func()) {
	work := make(chan string, n)
	for i := range n {
		no := fmt.Sprintf("payout%dx%d", life, i)
		switch i % 3 {
		case 0:
			no = fmt.Sprintf("refund%dx%d", life, i)
			asked[no] = d.refundOf(no, "order-1", 1, 180)
		case 1:
			no = fmt.Sprintf("batch%dx%d", life, i)
			asked[no] = d.batchOf(no, killedBatch)
		default:
			asked[no] = d.transferOf(no, 1)
		}
		work <- no
	}
	close(work)
	var askers sync.WaitGroup
	for range 8 {
		askers.Go(func() {
			for no := range work {
				if r := d.ask(context.Background(), "POST", creation(no), asked[no]); r.status != 200 && r.status != 0 {
					d.t.Errorf("%s: %+v", no, r)
				}
			}
		})
	}
	return askers.Wait
}

func creation(no string) (target string) {
	switch {
	case strings.HasPrefix(no, "payout"):
		return transfersTarget
	case strings.HasPrefix(no, "batch"):
		return batchesTarget
	}
	return refundsTarget
}

// repeat asks for everything again, as a merchant without an answer does.
func (d *desk) repeat(asked map[string]object) {
	for no, body := range asked {
		if r := d.post(creation(no), body); r.status != 200 {
			d.t.Errorf("%s again: %+v", no, r)
		}
	}
}

// linkKeys gives a directory the keys of all tests.
func linkKeys(t testing.TB, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(keyDir(), "*.*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if err := os.Link(name, filepath.Join(dir, filepath.Base(name))); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMerchantWithAnotherKeyIsRefused(t *testing.T) {
	m := newMerchant(t)
	cfg := testConfig(t)
	cfg.MerchantKey = &cfg.PlatformKey.PublicKey
	m.start(cfg)
	if _, err := m.client.Prepay(context.Background(), m.charge(0)); err == nil || !strings.Contains(err.Error(), "SIGN_ERROR") {
		t.Errorf("%v, want SIGN_ERROR", err)
	}
}
