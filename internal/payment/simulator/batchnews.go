package simulator

// batchNews is the plaintext of a batch's notification. It does not say which of
// the details failed.
type batchNews struct {
	MerchantID  string `json:"mchid"`
	No          string `json:"out_batch_no"`
	BatchID     string `json:"batch_id"`
	Status      string `json:"batch_status"`
	CloseReason string `json:"close_reason,omitzero"`
	TotalFen    int64  `json:"total_amount"`
	TotalNum    int64  `json:"total_num"`
	SuccessFen  int64  `json:"success_amount"`
	SuccessNum  int64  `json:"success_num"`
	FailFen     int64  `json:"fail_amount"`
	FailNum     int64  `json:"fail_num"`
	UpdateTime  string `json:"update_time"`
}

func (n batchNews) offByOne() any {
	if n.TotalFen++; n.SuccessNum > 0 {
		n.SuccessFen++
	} else {
		n.FailFen++
	}
	return n
}

func (n batchNews) contrary() (string, any) {
	if n.SuccessNum == 0 {
		return "", nil
	}
	n.Status, n.CloseReason = stateClosed, reasonOverdue
	n.SuccessFen, n.SuccessNum, n.FailFen, n.FailNum = 0, 0, n.TotalFen, n.TotalNum
	return eventBatchClosed, n
}

func (s *Simulator) batchLetter(no string) (letter, error) {
	p, err := s.journal.book.batch(no)
	if err != nil {
		return letter{}, err
	}
	failed := p.unpaid()
	l := letter{
		to: p.NotifyURL, id: "EV-" + p.id, at: p.updatedAt, event: eventBatchFinished, kind: resourceKindTransfer,
		summary: "商家转账批次终态通知",
		plaintext: batchNews{
			MerchantID: s.cfg.MerchantID, No: p.no, BatchID: p.id, Status: p.end, CloseReason: p.closeReason(),
			TotalFen: p.all.Fen, TotalNum: p.all.Count, SuccessFen: p.paid.Fen, SuccessNum: p.paid.Count,
			FailFen: failed.Fen, FailNum: failed.Count, UpdateTime: wireTime(p.updatedAt),
		},
		about: operation{kind: kindPayout, no: p.no},
	}
	if p.end == stateClosed {
		l.event = eventBatchClosed
	}
	return l, nil
}
