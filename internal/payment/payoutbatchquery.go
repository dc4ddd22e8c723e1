package payment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/sync/errgroup"

	"hongbao/envelope"
)

const (
	detailFailed = "FAIL"
	// failuresPageMax is how many failed payouts the provider lists in an answer.
	failuresPageMax = 100
	// reasonsAtOnceMax bounds the questions about failed payouts that are under
	// way at once: the provider answers one payout a call, and limits the rate.
	reasonsAtOnceMax = 8
)

// payoutBatchAnswer is what the provider says when asked about a batch. The list
// is of those payouts that were asked for.
type payoutBatchAnswer struct {
	Batch   payoutBatch `json:"transfer_batch"`
	Details []struct {
		No     string `json:"out_detail_no"`
		Status string `json:"detail_status"`
	} `json:"transfer_detail_list"`
}

// QueryBatch implements [envelope.Cashier]. The errors are those of [Client.Query].
// Done is said only when all sums agree with the batch and every payout that
// failed has been asked about by itself.
func (c *Client) QueryBatch(ctx context.Context, b envelope.PayoutBatch) (status envelope.PayoutBatchStatus, err error) {
	details, err := c.payoutDetails(&b)
	if err != nil {
		return envelope.PayoutBatchStatus{}, err
	}
	defer c.metrics.observe(queryBatchName, time.Now(), &err)
	answer, err := c.askBatch(ctx, &b, "need_query_detail=false", noTransfer())
	if errors.Is(err, errNoTransfer) {
		if err := c.forgotten(queryBatchName, b.No, b.PlacedAt); err != nil {
			return envelope.PayoutBatchStatus{}, err
		}
		return envelope.PayoutBatchStatus{No: b.No, Progress: envelope.ProgressAbsent}, nil
	}
	if err != nil {
		return envelope.PayoutBatchStatus{}, err
	}
	said := &answer.Batch
	status = envelope.PayoutBatchStatus{No: b.No, Progress: envelope.ProgressUnderWay, ProviderNo: said.ProviderNo}
	if ended, err := said.ended(b.No); !ended {
		return status, err
	}
	if status.Refused, err = c.refusals(ctx, &b, said, details); err != nil {
		return envelope.PayoutBatchStatus{}, err
	}
	status.Progress, status.Paid, status.PaidAmount = envelope.ProgressDone, said.SuccessNum, envelope.Fen(said.SuccessAmount)
	return status, nil
}

// askBatch asks about b. It believes an answer that is about this batch and adds
// up to it; in that of a batch that has ended, every payout is accounted for.
func (c *Client) askBatch(ctx context.Context, b *envelope.PayoutBatch, query string, means map[string]error) (payoutBatchAnswer, error) {
	target := payoutBatchByPath + url.PathEscape(b.No) + "?" + query
	body, err := c.send(ctx, call{name: queryBatchName, method: http.MethodGet, target: target, means: means})
	if err != nil {
		return payoutBatchAnswer{}, err
	}
	var answer payoutBatchAnswer
	if err = json.Unmarshal(body, &answer); err == nil {
		err = c.checkBatch(b, &answer.Batch)
	}
	if err != nil {
		return payoutBatchAnswer{}, unknownBatch(queryBatchName, b.No, err)
	}
	return answer, nil
}

func (c *Client) checkBatch(b *envelope.PayoutBatch, said *payoutBatch) error {
	ended, err := said.ended(b.No)
	if err != nil {
		return err
	}
	accounted, err := said.accounted()
	switch {
	case err != nil:
		return err
	case said.MerchantID != c.cfg.MerchantID || said.AppID != c.cfg.AppID:
		return errors.New("the answer is about another merchant or app")
	case said.TotalNum != len(b.Payouts) || said.TotalAmount != int64(b.Total()):
		return fmt.Errorf("want %d payouts of %d fen, have %s", len(b.Payouts), b.Total(), said.sums())
	case ended && !accounted:
		return fmt.Errorf("the batch is %s, and %s", said.Status, said.sums())
	}
	return nil
}

// refusals is why each failed payout of a batch that has ended did, by number.
func (c *Client) refusals(ctx context.Context, b *envelope.PayoutBatch, said *payoutBatch, details []payoutDetail) ([]envelope.TransferStatus, error) {
	if said.FailNum == 0 {
		return nil, nil
	}
	failed, err := c.failures(ctx, b, said, details)
	if err != nil {
		return nil, err
	}
	refused := make([]envelope.TransferStatus, len(failed))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(reasonsAtOnceMax)
	for i, d := range failed {
		g.Go(func() error {
			reason, err := c.failReason(gctx, b.No, d)
			code := cmp.Or(cut(reason, codeBytesMax), cut(said.CloseReason, codeBytesMax), detailFailed)
			refused[i] = envelope.TransferStatus{No: d.No, Progress: envelope.ProgressRefused, Amount: envelope.Fen(d.Amount), Code: code}
			return err
		})
	}
	return refused, g.Wait()
}

// failures lists the payouts that failed, page by page, by number. It believes a
// list that is of payouts of the batch, each once, and adds up to what failed.
func (c *Client) failures(ctx context.Context, b *envelope.PayoutBatch, said *payoutBatch, details []payoutDetail) ([]payoutDetail, error) {
	failed := make([]payoutDetail, 0, said.FailNum)
	for len(failed) < said.FailNum {
		query := fmt.Sprintf("need_query_detail=true&offset=%d&limit=%d&detail_status=%s", len(failed), failuresPageMax, detailFailed)
		page, err := c.askBatch(ctx, b, query, nil)
		if err != nil {
			return nil, err
		}
		if page.Batch != *said || len(page.Details) != min(failuresPageMax, said.FailNum-len(failed)) {
			return nil, unknownBatch(queryBatchName, b.No, fmt.Errorf("%d failed payouts from %d on, and %s", len(page.Details), len(failed), page.Batch.sums()))
		}
		for _, d := range page.Details {
			i, ours := slices.BinarySearchFunc(details, d.No, func(d payoutDetail, no string) int { return strings.Compare(d.No, no) })
			if !ours || d.Status != detailFailed {
				return nil, unknownBatch(queryBatchName, b.No, fmt.Errorf("failed: %q, %q", cut(d.No, codeBytesMax), cut(d.Status, codeBytesMax)))
			}
			failed = append(failed, details[i])
		}
	}
	slices.SortFunc(failed, func(a, b payoutDetail) int { return strings.Compare(a.No, b.No) })
	failed = slices.Compact(failed)
	sum := int64(0)
	for _, d := range failed {
		sum += d.Amount
	}
	if len(failed) != said.FailNum || sum != said.FailAmount {
		return nil, unknownBatch(queryBatchName, b.No, fmt.Errorf("the list of failed payouts is of %d, %d fen, and %s", len(failed), sum, said.sums()))
	}
	return failed, nil
}

// payoutBatchDetail is one payout of a batch as the provider tells it.
type payoutBatchDetail struct {
	MerchantID string `json:"mchid"`
	AppID      string `json:"appid"`
	BatchNo    string `json:"out_batch_no"`
	No         string `json:"out_detail_no"`
	Status     string `json:"detail_status"`
	Amount     int64  `json:"transfer_amount"` // fen
	OpenID     string `json:"openid"`
	FailReason string `json:"fail_reason"`
}

// failReason asks why the payout d of a batch failed. The provider may not say.
func (c *Client) failReason(ctx context.Context, batchNo string, d payoutDetail) (string, error) {
	target := payoutBatchByPath + url.PathEscape(batchNo) + "/details/out-detail-no/" + url.PathEscape(d.No)
	body, err := c.send(ctx, call{name: queryBatchName, method: http.MethodGet, target: target})
	if err != nil {
		return "", err
	}
	var said payoutBatchDetail
	if err = json.Unmarshal(body, &said); err == nil {
		err = c.checkDetail(batchNo, d, &said)
	}
	if err != nil {
		return "", unknownBatch(queryBatchName, batchNo, fmt.Errorf("payout %s: %w", d.No, err))
	}
	return said.FailReason, nil
}

func (c *Client) checkDetail(batchNo string, d payoutDetail, said *payoutBatchDetail) error {
	switch {
	case said.MerchantID != c.cfg.MerchantID || said.AppID != "" && said.AppID != c.cfg.AppID || said.BatchNo != batchNo:
		return errors.New("the answer is about another merchant, app or batch")
	case said.No != d.No || said.Amount != d.Amount || said.OpenID != "" && said.OpenID != d.OpenID:
		return fmt.Errorf("the answer is about %q of %d fen, or another payee", cut(said.No, codeBytesMax), said.Amount)
	case said.Status != detailFailed:
		return fmt.Errorf("it is listed as failed, and %q", cut(said.Status, codeBytesMax))
	}
	return nil
}
