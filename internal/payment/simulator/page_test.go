package simulator

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestPageShowsThePayerWhatThereIs(t *testing.T) {
	m := newMerchant(t)
	cfg := testConfig(t)
	cfg.Now = m.clock.now
	m.start(cfg)
	charge := m.charge(0)
	charge.Amount = 1205
	url := m.place(charge)

	status, header, body := m.get(url)
	if status != 200 || !strings.Contains(body, "¥12.05") || !strings.Contains(body, `<form method="post"><button`) {
		t.Errorf("unpaid: %d %s", status, body)
	}
	if strings.Contains(body, "<script") || regexp.MustCompile(`(?:src|href)=`).MatchString(body) {
		t.Errorf("the page runs or loads something: %s", body)
	}
	style := body[strings.Index(body, "<style>")+len("<style>") : strings.Index(body, "</style>")]
	sum := sha256.Sum256([]byte(style))
	if policy := header.Get("Content-Security-Policy"); !strings.Contains(policy, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") || !strings.HasPrefix(policy, "default-src 'none'") {
		t.Errorf("policy %q does not allow the style it has", policy)
	}

	status, body = m.pressInBrowser(url)
	if status != 200 || !strings.Contains(body, "已支付") || strings.Contains(body, "<form") {
		t.Errorf("paid: %d %s", status, body)
	}
	if _, _, body = m.get(url); !strings.Contains(body, "已支付") {
		t.Errorf("looked at again: %s", body)
	}

	late := m.place(m.charge(1))
	m.clock.pass(time.Hour)
	if status, body = m.pressInBrowser(late); status != 400 || !strings.Contains(body, "订单已关闭") {
		t.Errorf("late: %d %s", status, body)
	}
	if status, _, body = m.get(late); status != 200 || !strings.Contains(body, "订单已关闭") {
		t.Errorf("looked at late: %d %s", status, body)
	}
	if status, _, body = m.get(m.base + "/pay/nothing"); status != 404 || !strings.Contains(body, "没有这个订单") {
		t.Errorf("unknown: %d %s", status, body)
	}
	if _, status, _ := m.pay(m.base + "/pay/nothing"); status != 404 {
		t.Errorf("unknown, paid by a program: %d", status)
	}
	if status, _, body = m.get(m.base + "/healthz"); status != 200 || body != "ok\n" {
		t.Errorf("healthz: %d %q", status, body)
	}
}

// pressInBrowser posts the form as a browser does.
func (m *merchant) pressInBrowser(url string) (int, string) {
	m.t.Helper()
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(""))
	if err != nil {
		m.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := m.web.Do(req)
	if err != nil {
		m.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}
