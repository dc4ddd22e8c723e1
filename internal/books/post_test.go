package books_test

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongbao/envelope"
	"hongbao/internal/settest"
)

func TestABookSaysWhatHappened(t *testing.T) {
	l := newLibrary(t, 3)
	e := gift(1, "alice", "bob", "carol", "alice")
	l.post(t, told(e)...)
	want := envelope.BookSummary{Year: 2026, SentCount: 1, SentTotal: 20_000, ReceivedCount: 1, ReceivedTotal: 3}
	if diff := cmp.Diff(want, l.summary(t, "alice", 2026)); diff != "" {
		t.Errorf("while it is active (-want +got):\n%s", diff)
	}
	l.wantTruth(t, e)
	e = expired(e)
	l.post(t, told(e)...)
	want.BestLuckCount = 1
	if diff := cmp.Diff(want, l.summary(t, "alice", 2026)); diff != "" {
		t.Errorf("when it is finished (-want +got):\n%s", diff)
	}
	e = refunded(e)
	l.post(t, told(e)...)
	want.RefundedTotal = 20_000 - 6
	if diff := cmp.Diff(want, l.summary(t, "alice", 2026)); diff != "" {
		t.Errorf("when the rest has gone back (-want +got):\n%s", diff)
	}
	l.wantTruth(t, e)
	if got := l.summary(t, "alice", 2027); got != (envelope.BookSummary{Year: 2027}) {
		t.Errorf("an empty year: %+v", got)
	}
}

// FG2: the same facts posted twice are counted once.
func TestPostTwiceWritesOnce(t *testing.T) {
	l := newLibrary(t, 2)
	e := refunded(expired(gift(1, "alice", users(20)...)))
	for range 3 {
		l.post(t, told(e)...)
		l.wantTruth(t, e)
	}
	l.post(t, append(told(e), told(e)...)...)
	l.wantTruth(t, e)
	l.post(t)
	l.wantTruth(t, e)
}

// FG2: TestRepeatAmongNewFactsIsAddedOnce has one row of many there already:
// what was written and added before the database refused it must be gone.
func TestRepeatAmongNewFactsIsAddedOnce(t *testing.T) {
	truth := []envelope.Statement{gift(1, "alice", users(30)...), gift(2, "bob", users(30)...), refunded(expired(gift(3, "carol", users(30)...)))}
	facts := told(truth...)
	last := facts[1]
	last.Shares = last.Shares[29:]
	for name, known := range map[string]envelope.Fact{"sent": facts[0], "received": last} {
		t.Run(name, func(t *testing.T) {
			l := newLibrary(t, 1)
			l.post(t, known)
			l.post(t, facts...)
			l.wantTruth(t, truth...)
			if again, rows := metric(t, l, "hongbao_books_again_total"), metric(t, l, "hongbao_books_rows_total"); again != 1 || rows != 93 {
				t.Errorf("%v transactions run again for %v rows, want 1 for 93", again, rows)
			}
		})
	}
}

// TestNewsIsWrittenWithoutALook loses the next query that looks for rows.
func TestNewsIsWrittenWithoutALook(t *testing.T) {
	l := newLibrary(t, 1)
	l.proxies[0].Lose(settest.LostBefore, "SELECT user_id")
	e := gift(1, "alice", users(30)...)
	l.post(t, told(e)...)
	if hits := l.proxies[0].Hits(); hits != 0 {
		t.Errorf("%d queries looked for fresh", hits)
	}
	wantBusy(t, l.Post(t.Context(), told(e)), envelope.ReasonBooksUnavailable)
	if hits := l.proxies[0].Hits(); hits != 1 {
		t.Errorf("%d queries looked for a repeat, want the one that was lost", hits)
	}
	l.post(t, told(e)...)
	l.wantTruth(t, e)
}

// TestAFactMakesTheRowsItSpeaksOf posts only the last facts of an envelope
// whose earlier ones were never posted: rows are made from what is there.
func TestAFactMakesTheRowsItSpeaksOf(t *testing.T) {
	l := newLibrary(t, 1)
	e := refunded(expired(gift(1, "alice", "bob", "carol")))
	facts := told(e)
	l.post(t, facts[len(facts)-1], facts[len(facts)-2]) // refunded, finished
	if got := l.summary(t, "alice", 2026); got.SentCount != 1 || got.RefundedTotal != 20_000-3 {
		t.Errorf("the sender: %+v", got)
	}
	if got := l.summary(t, "carol", 2026); got.ReceivedCount != 1 || got.BestLuckCount != 1 {
		t.Errorf("the winner: %+v", got)
	}
	l.post(t, facts...)
	l.wantTruth(t, e)
}

// FF11: a payment after the close is in no book.
func TestLatePaymentIsInNoBook(t *testing.T) {
	l := newLibrary(t, 1)
	e := gift(1, "alice")
	e.Envelope.State, e.Envelope.Refunded = envelope.Closed, e.Envelope.Total
	facts := told(refunded(e))
	if len(facts) != 1 {
		t.Fatalf("%d facts, want the refund alone", len(facts))
	}
	l.post(t, facts...)
	if got := l.summary(t, "alice", 2026); got != (envelope.BookSummary{Year: 2026}) {
		t.Errorf("the sender: %+v", got)
	}
	l.wantTruth(t, e)
}

func TestYearsAreThoseOfTheBusinessDay(t *testing.T) {
	l := newLibrary(t, 2)
	e := gift(1, "alice", "bob", "carol")
	e.Envelope.PaidAt = time.Date(2026, 12, 31, 15, 59, 59, 999e6, time.UTC)
	e.Shares[0].OpenedAt = e.Envelope.PaidAt
	e.Shares[1].OpenedAt = e.Envelope.PaidAt.Add(time.Millisecond) // 2027 in Beijing
	e = refunded(expired(e))
	l.post(t, told(e)...)
	for user, want := range map[envelope.UserID][2]envelope.BookSummary{
		"alice": {{Year: 2026, SentCount: 1, SentTotal: 20_000, RefundedTotal: 20_000 - 3}, {Year: 2027}},
		"bob":   {{Year: 2026, ReceivedCount: 1, ReceivedTotal: 1}, {Year: 2027}},
		"carol": {{Year: 2026}, {Year: 2027, ReceivedCount: 1, ReceivedTotal: 2, BestLuckCount: 1}},
	} {
		if got := [2]envelope.BookSummary{l.summary(t, user, 2026), l.summary(t, user, 2027)}; got != want {
			t.Errorf("%s: %+v, want %+v", user, got, want)
		}
	}
	l.wantTruth(t, e)
}

// FH4: TestNamesAreValues has names of what would end a string, a comment or a
// placeholder, and names that other collations take for the same.
func TestNamesAreValues(t *testing.T) {
	l := newLibrary(t, 3)
	names := []envelope.UserID{"bob", "BOB", `b"o'b`, `b\`, "?", "--", "/*?*/", "' OR 1=1;", "%", "_", "0", envelope.UserID(strings.Repeat("~", 64))}
	e := expired(gift(1, `sen'der\?`, names...))
	l.post(t, told(e)...)
	l.wantTruth(t, e)
	for i, name := range names {
		if got := l.summary(t, name, 2026); got.ReceivedCount != 1 || got.ReceivedTotal != envelope.Fen(i+1) {
			t.Errorf("%s: %+v, want %d fen", name, got, i+1)
		}
	}
}

func TestLargePostIsCutIntoTransactions(t *testing.T) {
	l := newLibrary(t, 2)
	var truth []envelope.Statement
	for n := range 12 {
		truth = append(truth, refunded(expired(gift(n, "alice", users(499)...))))
	}
	l.post(t, told(truth...)...)
	l.wantTruth(t, truth...)
	if got := l.summary(t, "user-039", 2026); got.ReceivedCount != 12 || got.BestLuckCount != 12 {
		t.Errorf("the winner of all: %+v", got)
	}
}

// FG7: TestOverlappingPostsAddUp has eight posters tell the same lives, each in
// steps and an order of its own, as relays do whose leases ran out.
func TestOverlappingPostsAddUp(t *testing.T) {
	const posters, gifts = 8, 60
	l := newLibrary(t, 3)
	var truth []envelope.Statement
	for n := range gifts {
		truth = append(truth, refunded(expired(gift(n, users(20)[n%20], users(5+n%20)...))))
	}
	var posting sync.WaitGroup
	for p := range posters {
		posting.Go(func() {
			dice := rand.New(rand.NewPCG(7, uint64(p)))
			for _, n := range dice.Perm(gifts) {
				facts := told(truth[n], truth[dice.IntN(gifts)], truth[dice.IntN(gifts)])
				for len(facts) > 0 {
					k := 1 + dice.IntN(len(facts))
					for err := l.Post(t.Context(), facts[:k]); err != nil; err = l.Post(t.Context(), facts[:k]) {
						if _, ok := busy(err); !ok {
							t.Error(err)
							return
						}
					}
					facts = facts[k:]
				}
			}
		})
	}
	posting.Wait()
	l.wantTruth(t, truth...)
}
