package books

import "hongbao/envelope"

// split parts fresh rows, which exist only if the same facts were posted before, from
// those that may add to an existing row.
func (all *entries) split() (fresh, others entries) {
	fresh.received = make([]ReceivedRow, 0, len(all.received))
	for _, r := range all.received {
		if r.BestLuck {
			others.received = append(others.received, r)
		} else {
			fresh.received = append(fresh.received, r)
		}
	}
	for _, r := range all.sent {
		if r.Refunded > 0 {
			others.sent = append(others.sent, r)
		} else {
			fresh.sent = append(fresh.sent, r)
		}
	}
	return fresh, others
}

// sums are what fresh rows add up to, a year each.
func (all *entries) sums() map[yearKey]*envelope.BookSummary {
	sums := make(map[yearKey]*envelope.BookSummary, len(all.received)+len(all.sent))
	of := func(y yearKey) *envelope.BookSummary {
		if sums[y] == nil {
			sums[y] = &envelope.BookSummary{}
		}
		return sums[y]
	}
	for i := range all.received {
		sum := of(all.received[i].in())
		sum.ReceivedCount++
		sum.ReceivedTotal += all.received[i].Amount
	}
	for i := range all.sent {
		sum := of(all.sent[i].in())
		sum.SentCount++
		sum.SentTotal += all.sent[i].Total
	}
	return sums
}
