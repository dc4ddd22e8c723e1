package simulator

import (
	"net/http"
	"strconv"

	"github.com/go-json-experiment/json"

	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/lies"
	"hongbao/internal/payment/simulator/refusal"
	"hongbao/internal/payment/simulator/states"
	"hongbao/internal/payment/simulator/wire"
)

const (
	movementsPage    = 1000
	movementsPageMax = 10000

	// liesBytesMax bounds the document of lies.
	liesBytesMax = 1 << 20
)

// getMovements lists movements after an ID.
func (s *Simulator) getMovements(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	after, err1 := wire.Number(query.Get("after"), 0)
	limit, err2 := wire.Number(query.Get("limit"), movementsPage)
	if err1 != nil || err2 != nil || after < 0 || limit < 1 || limit > movementsPageMax {
		s.refuse(w, refusal.BadQuery("limit", query.Get("limit"), "want after >= 0 and 1 <= limit <= "+strconv.Itoa(movementsPageMax)))
		return
	}
	all, _, err := s.journal.Book.Movements()
	if err != nil {
		s.refuse(w, err)
		return
	}
	from := min(after, int64(len(all)))
	all = all[from:min(from+limit, int64(len(all)))]
	s.plain(w, http.StatusOK, map[string][]ledger.Movement{"movements": all})
}

func (s *Simulator) getTotals(w http.ResponseWriter, _ *http.Request) {
	_, sums, err := s.journal.Book.Movements()
	if err != nil {
		s.refuse(w, err)
		return
	}
	s.plain(w, http.StatusOK, sums)
}

// postFinish presses the merchant's button about an abnormal refund.
func (s *Simulator) postFinish(w http.ResponseWriter, r *http.Request) {
	no, end := r.PathValue("no"), r.FormValue("end")
	f, err := s.journal.Book.Refund(no)
	switch {
	case err != nil:
	case end != states.RefundSuccess && end != states.RefundClosed:
		err = refusal.BadQuery("end", end, "want "+states.RefundSuccess+" or "+states.RefundClosed)
	case f.End != states.RefundAbnormal && f.End != end:
		err = refusal.Invalid("退款单状态不是退款异常")
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	s.finishRefund(r.Context(), no, end)
	w.WriteHeader(http.StatusNoContent)
}

func (s *Simulator) getLies(w http.ResponseWriter, _ *http.Request) {
	s.plain(w, http.StatusOK, s.liar.Status())
}

func (s *Simulator) putLies(w http.ResponseWriter, r *http.Request) {
	var doc lies.Document
	// A misspelt lie is never told, so here what is unknown is a mistake.
	err := refusal.Explain(json.UnmarshalRead(http.MaxBytesReader(w, r.Body, liesBytesMax), &doc, json.RejectUnknownMembers(true)), nil)
	if err == nil {
		if wrong := doc.Check(); wrong != nil {
			err = refusal.BadField("", nil, wrong.Error())
		}
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	s.liar.Set(doc)
	s.getLies(w, r)
}

func (s *Simulator) deleteLies(w http.ResponseWriter, _ *http.Request) {
	s.liar.Reset()
	w.WriteHeader(http.StatusNoContent)
}
