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
	payoutBatchPath   = "/v3/transfer/batches"
	payoutBatchByPath = payoutBatchPath + "/out-batch-no/"

	placeBatchName = "payout_batch" // for metrics and errors
	queryBatchName = "query_payout_batch"

	batchFinished = "FINISHED" // every payout has succeeded or failed
	batchClosed   = "CLOSED"   // given up: what has not succeeded never will
)

// payoutBatchRequest places a batch. Nothing in it is of the clock: the same
// batch is the same bytes for as long as the terms are.
type payoutBatchRequest struct {
	AppID       string         `json:"appid"`
	No          string         `json:"out_batch_no"`
	Name        string         `json:"batch_name"`
	Remark      string         `json:"batch_remark"`
	TotalAmount int64          `json:"total_amount"` // fen
	TotalNum    int            `json:"total_num"`
	Details     []payoutDetail `json:"transfer_detail_list"`
	SceneID     string         `json:"transfer_scene_id"`
	NotifyURL   string         `json:"notify_url"`
}

type payoutDetail struct {
	No     string `json:"out_detail_no"`
	Amount int64  `json:"transfer_amount"` // fen
	Remark string `json:"transfer_remark"`
	OpenID string `json:"openid"`
}

// PlaceBatch implements [envelope.Cashier]. A batch whose payouts have all come
// to their end is asked about as by [Client.QueryBatch]. The errors are those of
// [Client.Place]. No refusal of a batch is about a payee, so a final one rejects
// it.
func (c *Client) PlaceBatch(ctx context.Context, b envelope.PayoutBatch) (status envelope.PayoutBatchStatus, err error) {
	details, err := c.payoutDetails(&b)
	if err != nil {
		return envelope.PayoutBatchStatus{}, err
	}
	defer c.metrics.observe(placeBatchName, time.Now(), &err)
	terms := c.cfg.Payouts
	body, err := json.Marshal(payoutBatchRequest{
		AppID: c.cfg.AppID, No: b.No, Name: terms.Remark, Remark: terms.Remark, TotalAmount: int64(b.Total()), TotalNum: len(details),
		Details: details, SceneID: terms.SceneID, NotifyURL: c.cfg.NotifyURL,
	})
	if err != nil {
		return envelope.PayoutBatchStatus{}, fmt.Errorf("payment %s %s: %w", placeBatchName, b.No, err)
	}
	answer, err := c.send(ctx, call{name: placeBatchName, method: http.MethodPost, target: payoutBatchPath, body: body, moves: true})
	if refused, final := finalRefusal(err); final {
		return c.refusedBatch(ctx, b, refused)
	}
	if err != nil {
		return envelope.PayoutBatchStatus{}, err
	}
	return c.placedBatch(ctx, b, answer)
}

// placedBatch reads the answer to placing b, which names the number alone.
func (c *Client) placedBatch(ctx context.Context, b envelope.PayoutBatch, answer []byte) (envelope.PayoutBatchStatus, error) {
	var said payoutBatch
	ended, err := false, json.Unmarshal(answer, &said)
	if err == nil {
		ended, err = said.ended(b.No)
	}
	switch {
	case err != nil:
		return envelope.PayoutBatchStatus{}, unknownBatch(placeBatchName, b.No, err)
	case ended:
		return c.QueryBatch(ctx, b)
	}
	return envelope.PayoutBatchStatus{No: b.No, Progress: envelope.ProgressUnderWay, ProviderNo: said.ProviderNo}, nil
}

// refusedBatch is what becomes of a batch whose placing was refused: as with one
// transfer, an earlier request under its number may have been carried out.
func (c *Client) refusedBatch(ctx context.Context, b envelope.PayoutBatch, refused *envelope.RefusedError) (envelope.PayoutBatchStatus, error) {
	status, err := c.QueryBatch(ctx, b)
	switch {
	case err != nil:
		return envelope.PayoutBatchStatus{}, fmt.Errorf("payment %s: %w: %w, and asked: %v", b.No, envelope.ErrUnknownOutcome, refused, err)
	case status.Progress != envelope.ProgressAbsent:
		return status, nil
	}
	return envelope.PayoutBatchStatus{No: b.No, Progress: envelope.ProgressRejected, Code: refused.Code}, nil
}

// payoutDetails are the payouts of b as a request says them. It refuses
// a batch that can not be placed, or not the same way twice.
func (c *Client) payoutDetails(b *envelope.PayoutBatch) ([]payoutDetail, error) {
	if _, err := envelope.ParsePayoutBatchNo(b.No); err != nil {
		return nil, fmt.Errorf("payment: %w", err)
	}
	if n := len(b.Payouts); n < 1 || n > envelope.PayoutBatchMax {
		return nil, fmt.Errorf("payment %s %s: want 1 <= payouts <= %d, have %d", placeBatchName, b.No, envelope.PayoutBatchMax, n)
	}
	details, last := make([]payoutDetail, len(b.Payouts)), ""
	for i := range b.Payouts {
		d, err := c.payoutDetail(&b.Payouts[i])
		switch {
		case err != nil:
			return nil, fmt.Errorf("payment %s %s: %w", placeBatchName, b.No, err)
		case d.No <= last:
			return nil, fmt.Errorf("payment %s %s: want payouts in the order of their numbers, have %s after %s", placeBatchName, b.No, d.No, last)
		}
		details[i], last = d, d.No
	}
	return details, nil
}

func (c *Client) payoutDetail(t *envelope.Transfer) (payoutDetail, error) {
	no := t.No()
	_, seq, _, err := envelope.ParseTransferNo(no)
	switch {
	case err != nil:
		return payoutDetail{}, err
	case seq == 0:
		return payoutDetail{}, fmt.Errorf("want payouts, have %s", no)
	}
	openID, err := c.payee(t, no)
	return payoutDetail{No: no, Amount: int64(t.Amount), Remark: c.cfg.Payouts.Remark, OpenID: openID}, err
}

// payoutBatch is a batch as the provider tells it: in the answer to placing one,
// which names number and status alone, to a query, and in a notification, which
// leaves out the app.
type payoutBatch struct {
	MerchantID    string `json:"mchid"`
	AppID         string `json:"appid"`
	No            string `json:"out_batch_no"`
	ProviderNo    string `json:"batch_id"`
	Status        string `json:"batch_status"`
	CloseReason   string `json:"close_reason"`
	TotalNum      int    `json:"total_num"`
	TotalAmount   int64  `json:"total_amount"` // fen, as all amounts
	SuccessNum    int    `json:"success_num"`
	SuccessAmount int64  `json:"success_amount"`
	FailNum       int    `json:"fail_num"`
	FailAmount    int64  `json:"fail_amount"`
}

// ended reports whether nothing will happen to any payout of the batch any more.
// An answer about another batch than no, or of an unknown status, is an error.
func (s *payoutBatch) ended(no string) (bool, error) {
	if s.No != no {
		return false, fmt.Errorf("the answer is about %q", cut(s.No, codeBytesMax))
	}
	if err := checkProviderNo(s.ProviderNo); err != nil {
		return false, err
	}
	switch s.Status {
	case "WAIT_PAY", "ACCEPTED", "PROCESSING":
		return false, nil
	case batchFinished, batchClosed:
		return true, nil
	}
	return false, fmt.Errorf("batch status %q", cut(s.Status, codeBytesMax))
}

// accounted reports whether every payout is said to have succeeded or failed.
// Sums that payouts can not have are an error.
func (s *payoutBatch) accounted() (bool, error) {
	num, amount := s.TotalNum-s.SuccessNum-s.FailNum, s.TotalAmount-s.SuccessAmount-s.FailAmount
	if s.TotalNum < 1 || !arePayouts(s.TotalNum, s.TotalAmount) || !arePayouts(s.SuccessNum, s.SuccessAmount) ||
		!arePayouts(s.FailNum, s.FailAmount) || !arePayouts(num, amount) {
		return false, errors.New("what does not add up: " + s.sums())
	}
	return num == 0, nil
}

// arePayouts reports whether so many payouts of a batch can be of so many fen.
func arePayouts(num int, amount int64) bool {
	return num >= 0 && num <= envelope.PayoutBatchMax && amount >= int64(num) && amount <= int64(num)*payoutFenMax
}

func (s *payoutBatch) sums() string {
	return fmt.Sprintf("%d payouts of %d fen, %d of %d succeeded, %d of %d failed",
		s.TotalNum, s.TotalAmount, s.SuccessNum, s.SuccessAmount, s.FailNum, s.FailAmount)
}

// unknownBatch makes an answer about a batch that says nothing an unknown outcome.
func unknownBatch(name, no string, cause error) error {
	return fmt.Errorf("payment %s %s: %w: %w", name, no, envelope.ErrUnknownOutcome, cause)
}
