package simulator

import (
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/lies"
	"hongbao/internal/payment/simulator/refusal"
	"hongbao/internal/payment/simulator/statement"
	"hongbao/internal/payment/simulator/wire"
)

const (
	// downloadPath is where a statement is fetched, within downloadMax of asking.
	downloadPath = "/v3/billdownload/file"
	downloadMax  = 5 * time.Minute
	// statementsFrom is the hour of the next day from which on there is one.
	statementsFrom = 10
	// statementDaysMax is how long a statement is kept: three months.
	statementDaysMax = 90

	kindStatement = "statement"
	tarGzip       = "GZIP"
)

type statementAnswer struct {
	HashType    string `json:"hash_type"`
	HashValue   string `json:"hash_value"` // of the plain text, lowercase hex
	DownloadURL string `json:"download_url"`
}

// ticket is what a download_url carries: which statement, packed how, till when.
type ticket struct {
	Name    string `json:"n"`
	Day     string `json:"d"`
	Of      string `json:"o"`
	Upto    int64  `json:"u"`
	Gzip    bool   `json:"g"`
	Expires int64  `json:"e"` // Unix seconds
}

func (t *ticket) statement() *statement.Statement {
	return &statement.Statement{Name: t.Name, Day: t.Day, Of: t.Of, Upto: t.Upto}
}

// tradeBill and fundFlowBill prepare a statement.
func (s *Simulator) tradeBill(r *http.Request, _ []byte) (call, error) {
	return s.prepare(r, statement.Trade, "bill_type", statement.All, statement.All, statement.Success, statement.Refund)
}

func (s *Simulator) fundFlowBill(r *http.Request, _ []byte) (call, error) {
	return s.prepare(r, statement.FundFlow, "account_type", ledger.AccountBasic, ledger.AccountBasic, ledger.AccountOperation, ledger.AccountFees)
}

func (s *Simulator) prepare(r *http.Request, name, parameter, absent string, allowed ...string) (call, error) {
	query := r.URL.Query()
	t := ticket{Name: name, Day: query.Get("bill_date"), Of: query.Get(parameter), Gzip: query.Get("tar_type") == tarGzip}
	if t.Of == "" {
		t.Of = absent
	}
	if tar := query.Get("tar_type"); tar != "" && !t.Gzip {
		return call{}, refusal.BadQuery("tar_type", tar, "want "+tarGzip+" or none")
	}
	if !strings.Contains(","+strings.Join(allowed, ",")+",", ","+t.Of+",") {
		return call{}, refusal.BadQuery(parameter, t.Of, fmt.Sprintf("want one of %v", allowed))
	}
	if err := s.checkDay(t.Day); err != nil {
		return call{}, err
	}
	return call{Operation: lies.Operation{Kind: kindStatement, No: t.Day}, do: func(context.Context) (any, error) { return s.ready(t) }}, nil
}

// checkDay refuses days that have no statement yet, or none any more.
func (s *Simulator) checkDay(text string) error {
	day, err := time.ParseInLocation(time.DateOnly, text, wire.Zone())
	if err != nil {
		return refusal.BadQuery("bill_date", text, "want a day like 2006-01-02")
	}
	now := s.cfg.Now()
	switch {
	case day.After(now) || now.Sub(day) > statementDaysMax*24*time.Hour:
		return refusal.BadQuery("bill_date", text, fmt.Sprintf("want a day of the last %d", statementDaysMax))
	case s.cfg.BillsAtOnce || !now.Before(day.Add((24+statementsFrom)*time.Hour)):
		return nil
	case now.Before(day.Add(24 * time.Hour)):
		return refusal.BadQuery("bill_date", text, "want a day that is over")
	}
	return refusal.New(http.StatusBadRequest, "STATEMENT_CREATING", "账单生成中")
}

func (s *Simulator) ready(t ticket) (any, error) {
	all, _, err := s.journal.Book.Movements()
	if err != nil {
		return nil, err
	}
	// What moves from now on belongs to the next statement asked for, so that the
	// file downloaded is the one with the hash in the answer.
	t.Upto, t.Expires = int64(len(all)), s.cfg.Now().Add(downloadMax).Unix()
	hash := sha1.New()
	rows, err := s.statements.Write(hash, t.statement())
	if err != nil {
		return nil, err
	}
	if rows == 0 {
		return nil, refusal.New(http.StatusBadRequest, "NO_STATEMENT_EXIST", "账单文件不存在")
	}
	token, err := s.seal(&t)
	if err != nil {
		return nil, err
	}
	return statementAnswer{
		HashType: "SHA1", HashValue: hex.EncodeToString(hash.Sum(nil)),
		DownloadURL: s.cfg.PublicURL + downloadPath + "?token=" + url.QueryEscape(token),
	}, nil
}

// seal makes a token of a ticket, so that nothing needs to be remembered.
func (s *Simulator) seal(t *ticket) (string, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(append(s.ticketSum(text), text...)), nil
}

func (s *Simulator) ticketSum(text []byte) []byte {
	mac := hmac.New(sha256.New, s.cfg.APIv3Key)
	mac.Write([]byte("statement "))
	mac.Write(text)
	return mac.Sum(nil)
}

func (s *Simulator) unseal(token string) (t ticket, err error) {
	errToken := refusal.BadQuery("token", token, "not ours, or expired")
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) < sha256.Size || !hmac.Equal(raw[:sha256.Size], s.ticketSum(raw[sha256.Size:])) {
		return t, errToken
	}
	if err := json.Unmarshal(raw[sha256.Size:], &t); err != nil || s.cfg.Now().Unix() > t.Expires {
		return t, errToken
	}
	return t, nil
}

// download sends a statement to a signed request, unsigned.
func (s *Simulator) download(w http.ResponseWriter, r *http.Request) {
	_, err := s.authenticate(w, r, requestBytesMax)
	var t ticket
	if err == nil {
		t, err = s.unseal(r.URL.Query().Get("token"))
	}
	if err != nil {
		refused := refusal.Of(err)
		s.answer(w, r, refused.Status, refused, lies.Operation{})
		return
	}
	if s.liar.Tells(lies.Operation{Kind: kindStatement, No: t.Day}, lies.Outage) {
		http.Error(w, "Service Unavailable", http.StatusServiceUnavailable)
		return
	}
	// Past the server's own deadline, which is for small answers. A writer that
	// has no deadlines needs no longer one.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(ledgerWriteMax))
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if err := s.pack(w, &t); err != nil {
		s.cfg.Log.Debug("statement not sent", "day", t.Day, "error", err)
		panic(http.ErrAbortHandler) // a short file must not pass for a whole one
	}
}

func (s *Simulator) pack(to io.Writer, t *ticket) error {
	if !t.Gzip {
		_, err := s.statements.Write(to, t.statement())
		return err
	}
	packed := gzip.NewWriter(to)
	if _, err := s.statements.Write(packed, t.statement()); err != nil {
		return err
	}
	return packed.Close()
}
