package audit

import (
	"hongbao/envelope"
	"hongbao/orderset/layout"
)

func selectPaymentsOf(ids []envelope.ID) string {
	b := &layout.Text{}
	b.Add("SELECT order_id, transaction_id FROM payment WHERE order_id IN (")
	b.IDs(ids)
	b.Add(") ORDER BY order_id")
	return b.String()
}

func selectHeaderPage(t layout.DayTable) string {
	return "SELECT " + layout.HeaderColumns + " FROM " + t.Envelopes() + " WHERE order_id > ? ORDER BY order_id LIMIT ?"
}

func selectSharePage(t layout.DayTable) string {
	return "SELECT " + layout.ShareColumns + " FROM " + t.Shares() + " WHERE order_id > ? AND order_id <= ? ORDER BY order_id, seq"
}

// selectTransfersOf reads every transfer of some envelopes.
func selectTransfersOf(ids []envelope.ID) string {
	b := &layout.Text{}
	b.Add("SELECT ", layout.TransferColumns, " FROM transfer WHERE order_id IN (")
	b.IDs(ids)
	b.Add(") ORDER BY order_id, seq")
	return b.String()
}
