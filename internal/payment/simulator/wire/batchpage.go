package wire

import (
	"fmt"
	"net/url"

	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/refusal"
	"hongbao/internal/payment/simulator/states"
)

const (
	detailsPageMin = 20 // and the default
	detailsPageMax = 100

	allDetails = "ALL"
)

// detailPage is which details a query wants to see.
type detailPage struct {
	status        string // of theirs, or allDetails; empty is none
	offset, limit int64  // among those
}

// ReadDetailPage reads the parameters of a query about a batch.
func ReadDetailPage(query url.Values) (w detailPage, err error) {
	var err1, err2 error
	w.offset, err1 = Number(query.Get("offset"), 0)
	w.limit, err2 = Number(query.Get("limit"), detailsPageMin)
	if err1 != nil || err2 != nil || w.offset < 0 || w.limit < detailsPageMin || w.limit > detailsPageMax {
		return w, refusal.BadQuery("limit", query.Get("limit"), fmt.Sprintf("want offset >= 0 and %d <= limit <= %d", detailsPageMin, detailsPageMax))
	}
	switch need := query.Get("need_query_detail"); need {
	case "", "false":
		return w, nil
	case "true":
	default:
		return w, refusal.BadQuery("need_query_detail", need, "want true or false")
	}
	w.status = query.Get("detail_status")
	if w.status != allDetails && w.status != states.Transferred && w.status != states.Failed {
		return w, refusal.BadQuery("detail_status", w.status, "want ALL, SUCCESS or FAIL, with need_query_detail")
	}
	return w, nil
}

// Of picks the page. Before the end of a batch there are no details to see.
func (w *detailPage) Of(p *ledger.PayoutBatch) (page []detailInfo) {
	if p.End == "" || w.status == "" {
		return nil
	}
	skip := w.offset
	for i, reason := range p.Outcomes() {
		status := ledger.DetailEnd(reason)
		if w.status != allDetails && w.status != status {
			continue
		}
		if skip--; skip >= 0 {
			continue
		}
		if int64(len(page)) == w.limit {
			break
		}
		page = append(page, detailInfo{DetailID: p.DetailID(i), No: p.Details[i].No, Status: status})
	}
	return page
}
