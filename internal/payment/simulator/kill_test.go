package simulator

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hongbao/envelope"
)

// child is a simulator in a process of its own.
func child(t *testing.T, dir string) (cmd *exec.Cmd, base string) {
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

// TestKilledProviderKeepsEveryPaymentItAcknowledged kills the process among
// payers, three times over, and compares what was said with what is left.
func TestKilledProviderKeepsEveryPaymentItAcknowledged(t *testing.T) {
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
		for e.State == statePaid && !heard[envelope.ID(no)] { // some hear twice, nobody never
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
		if e := books[no]; e.State != statePaid || e.TransactionID != transaction || e.AmountFen != 10000 {
			m.t.Errorf("order %s was acknowledged as %s, the ledger has %+v", no, transaction, e)
		}
	}
}

func TestKeysAreMadeOnceAndKept(t *testing.T) {
	dir := t.TempDir()
	keys, err := GenerateKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	read := func() map[string]string {
		files := map[string]string{}
		for _, name := range []string{keys.MerchantPrivate, keys.MerchantPublic, keys.PlatformPrivate, keys.PlatformPublic, keys.APIv3} {
			content, err := os.ReadFile(name)
			info, statErr := os.Stat(name)
			if err := errors.Join(err, statErr); err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %v", name, info.Mode())
			}
			files[name] = string(content)
		}
		return files
	}
	first := read()
	// An interrupted call: a public half and the APIv3 key are missing.
	for _, name := range []string{keys.PlatformPublic, keys.APIv3} {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	if again, err := GenerateKeys(dir); err != nil || again != keys {
		t.Fatalf("%+v, %v", again, err)
	}
	for name, content := range read() {
		if content != first[name] && name != keys.APIv3 {
			t.Errorf("%s is another one", name)
		}
	}
	if drafts, err := filepath.Glob(filepath.Join(dir, ".draft-*")); err != nil || len(drafts) > 0 {
		t.Errorf("left behind: %v, %v", drafts, err)
	}
	if _, err := New(mustConfig(t, dir)); err != nil {
		t.Error(err)
	}
}

func mustConfig(t *testing.T, dir string) Config {
	t.Helper()
	cfg, err := configIn(dir, "http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	return cfg
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
