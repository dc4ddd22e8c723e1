package books

import "strings"

// This file is the only place where SQL text is put together: how often its
// parts repeat depends on the number of rows, and nothing else goes into it.
// Every value is a placeholder.

const (
	selectInfo = "SELECT shard_number, shard_count FROM book_info"

	selectReceivedPage = "SELECT order_id, sender_id, kind, seq, amount_fen, best_luck, opened_at FROM received " +
		"WHERE user_id = ? AND year = ? AND opened_at <= ? AND (opened_at < ? OR order_id <= ?) " +
		"ORDER BY opened_at DESC, order_id DESC LIMIT ?"
	selectSentPage = "SELECT order_id, kind, total_fen, count, refunded_fen, paid_at FROM sent " +
		"WHERE user_id = ? AND year = ? AND paid_at <= ? AND (paid_at < ? OR order_id <= ?) " +
		"ORDER BY paid_at DESC, order_id DESC LIMIT ?"
	selectSummary = "SELECT sent_count, sent_fen, refunded_fen, received_count, received_fen, best_luck_count FROM summary " +
		"WHERE user_id = ? AND year = ?"

	// For audits. Users are paged through in the order of the primary keys.
	selectUserPage     = "SELECT DISTINCT user_id FROM summary WHERE user_id > ? ORDER BY user_id LIMIT ?"
	selectSummaries    = "SELECT user_id, year, sent_count, sent_fen, refunded_fen, received_count, received_fen, best_luck_count FROM summary WHERE user_id > ? AND user_id <= ?"
	selectSentSums     = "SELECT user_id, year, COUNT(*), SUM(total_fen), SUM(refunded_fen), SUM(year <> YEAR(paid_at + INTERVAL 8 HOUR)) FROM sent WHERE user_id > ? AND user_id <= ? GROUP BY user_id, year"
	selectReceivedSums = "SELECT user_id, year, COUNT(*), SUM(amount_fen), SUM(best_luck), SUM(year <> YEAR(opened_at + INTERVAL 8 HOUR)) FROM received WHERE user_id > ? AND user_id <= ? GROUP BY user_id, year"
	selectBestLuck     = "SELECT user_id, order_id FROM received WHERE user_id > ? AND user_id <= ? AND best_luck = 1"

	selectReceivedRows = "SELECT user_id, year, order_id, sender_id, kind, seq, amount_fen, best_luck, opened_at FROM received " +
		"WHERE user_id >= ? AND (user_id > ? OR order_id > ?) ORDER BY user_id, order_id LIMIT ?"
	selectSentRows = "SELECT user_id, year, order_id, kind, total_fen, count, refunded_fen, paid_at FROM sent " +
		"WHERE user_id >= ? AND (user_id > ? OR order_id > ?) ORDER BY user_id, order_id LIMIT ?"
)

// repeated is n times part, with commas or the like in between.
func repeated(part, between string, n int) string {
	return strings.Repeat(part+between, n-1) + part
}

// lockYears makes the years' rows that are missing, locks all of them in the
// order given, and adds what is new to them. What it adds may be 0.
func lockYears(n int) string {
	return "INSERT INTO summary (user_id, year, sent_count, sent_fen, received_count, received_fen) VALUES " + repeated("(?,?,?,?,?,?)", ",", n) +
		" ON DUPLICATE KEY UPDATE sent_count = summary.sent_count + VALUES(sent_count), sent_fen = summary.sent_fen + VALUES(sent_fen), " +
		"received_count = summary.received_count + VALUES(received_count), received_fen = summary.received_fen + VALUES(received_fen)"
}

// oneOf names rows by their whole primary key: two equalities a row, because
// MariaDB finds no range in an IN list of row constructors. Where another index
// begins with the user, too, FORCE INDEX keeps the optimizer from weighing unions
// of the two, which takes it 800 ms for 1,000 rows instead of 5.
func oneOf(n int) string { return repeated("(user_id = ? AND order_id = ?)", " OR ", n) }

func selectReceived(n int) string {
	return "SELECT user_id, order_id, best_luck FROM received FORCE INDEX (PRIMARY) WHERE " + oneOf(n)
}

func selectSent(n int) string {
	return "SELECT user_id, order_id, refunded_fen FROM sent FORCE INDEX (PRIMARY) WHERE " + oneOf(n)
}

// insertReceived and insertSent write rows that are not there.
func insertReceived(n int) string {
	return "INSERT INTO received (user_id, order_id, year, seq, sender_id, kind, amount_fen, best_luck, opened_at) VALUES " +
		repeated("(?,?,?,?,?,?,?,?,?)", ",", n)
}

func insertSent(n int) string {
	return "INSERT INTO sent (user_id, order_id, year, kind, total_fen, count, refunded_fen, paid_at) VALUES " +
		repeated("(?,?,?,?,?,?,?,?)", ",", n)
}

// putReceived and putSent write rows, and what is new of those that are there.
func putReceived(n int) string {
	return insertReceived(n) + " ON DUPLICATE KEY UPDATE best_luck = VALUES(best_luck)"
}

func putSent(n int) string {
	return insertSent(n) + " ON DUPLICATE KEY UPDATE refunded_fen = VALUES(refunded_fen)"
}

func selectYears(n int) string {
	return "SELECT user_id, year, sent_count, sent_fen, refunded_fen, received_count, received_fen, best_luck_count FROM summary WHERE " +
		repeated("(user_id = ? AND year = ?)", " OR ", n)
}

// putYears writes sums whose rows lockYears has made and locked. It writes whole
// rows, not differences: a CHECK sees what is inserted even where the row exists.
func putYears(n int) string {
	return "INSERT INTO summary (user_id, year, sent_count, sent_fen, refunded_fen, received_count, received_fen, best_luck_count) VALUES " +
		repeated("(?,?,?,?,?,?,?,?)", ",", n) + " ON DUPLICATE KEY UPDATE sent_count = VALUES(sent_count), sent_fen = VALUES(sent_fen), " +
		"refunded_fen = VALUES(refunded_fen), received_count = VALUES(received_count), received_fen = VALUES(received_fen), " +
		"best_luck_count = VALUES(best_luck_count)"
}
