package books_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongbao/envelope"
	"hongbao/internal/books"
)

// shelf has 123 envelopes sent and 123 received by alice, three in each
// millisecond.
func shelf(t testing.TB, l *library) (truth []envelope.Statement) {
	t.Helper()
	for n := range 123 {
		e := gift(n, "alice", "alice")
		e.Envelope.PaidAt = noon().Add(time.Duration(n/3) * time.Millisecond)
		e.Shares[0].OpenedAt = e.Envelope.PaidAt.Add(time.Second)
		truth = append(truth, expired(e))
	}
	l.post(t, told(truth...)...)
	return truth
}

func TestListsAreNewestFirstWithoutGaps(t *testing.T) {
	l := newLibrary(t, 2)
	truth := shelf(t, l)
	var want []string
	for _, e := range slices.Backward(truth) {
		want = append(want, string(e.Envelope.ID))
	}
	got, pages := all(t, func(cursor string) (ids []string, next string, err error) {
		items, next, err := l.Received(t.Context(), "alice", 2026, cursor)
		for _, i := range items {
			ids = append(ids, string(i.ID))
		}
		return ids, next, err
	})
	if diff := cmp.Diff(want, got); diff != "" || !slices.Equal(pages, []int{50, 50, 23}) {
		t.Errorf("received, in pages of %v (-want +got):\n%s", pages, diff)
	}
	got, pages = all(t, func(cursor string) (ids []string, next string, err error) {
		items, next, err := l.Sent(t.Context(), "alice", 2026, cursor)
		for _, i := range items {
			ids = append(ids, string(i.ID))
		}
		return ids, next, err
	})
	if diff := cmp.Diff(want, got); diff != "" || !slices.Equal(pages, []int{50, 50, 23}) {
		t.Errorf("sent, in pages of %v (-want +got):\n%s", pages, diff)
	}
	last := truth[len(truth)-1]
	items, _, err := l.Received(t.Context(), "alice", 2026, "")
	if err != nil {
		t.Fatal(err)
	}
	first := envelope.ReceivedItem{ID: last.Envelope.ID, Sender: "alice", Kind: envelope.Lucky, Seq: 1, Amount: 1, BestLuck: true, OpenedAt: last.Shares[0].OpenedAt}
	if diff := cmp.Diff(first, items[0]); diff != "" {
		t.Errorf("the newest (-want +got):\n%s", diff)
	}
}

// all follows the cursors to the end.
func all(t *testing.T, list func(cursor string) ([]string, string, error)) (ids []string, pages []int) {
	t.Helper()
	for cursor := ""; ; {
		some, next, err := list(cursor)
		if err != nil {
			t.Fatal(err)
		}
		ids, pages = append(ids, some...), append(pages, len(some))
		if next == "" || len(pages) > 10 {
			return ids, pages
		}
		cursor = next
	}
}

func TestAFullLastPageEndsTheList(t *testing.T) {
	l := newLibrary(t, 1)
	var truth []envelope.Statement
	for n := range books.PageMax {
		truth = append(truth, gift(n, "alice"))
	}
	l.post(t, told(truth...)...)
	if items, next, err := l.Sent(t.Context(), "alice", 2026, ""); err != nil || len(items) != books.PageMax || next != "" {
		t.Errorf("%d items, next %q, %v", len(items), next, err)
	}
	if items, next, err := l.Received(t.Context(), "alice", 2026, ""); err != nil || len(items) != 0 || next != "" {
		t.Errorf("an empty list: %d items, next %q, %v", len(items), next, err)
	}
}

func TestForgedCursorsAreRefused(t *testing.T) {
	l := newLibrary(t, 2)
	shelf(t, l)
	l.post(t, told(gift(500, "alice", users(1)...))...)
	_, good, err := l.Received(t.Context(), "alice", 2026, "")
	if err != nil || good == "" {
		t.Fatalf("cursor %q, %v", good, err)
	}
	_, sent, err := l.Sent(t.Context(), "alice", 2026, "")
	if err != nil {
		t.Fatal(err)
	}
	refused := func(name string, user envelope.UserID, year int, cursor string) {
		t.Helper()
		_, _, err := l.Received(t.Context(), user, year, cursor)
		if invalid, ok := errors.AsType[*envelope.InvalidError](err); !ok || invalid.Field != "cursor" {
			t.Errorf("%s: %v, want an InvalidError about the cursor", name, err)
		}
	}
	refused("another user's", "user-000", 2026, good)
	refused("another year's", "alice", 2025, good)
	refused("another list's", "alice", 2026, sent)
	for _, cursor := range []string{"A", "=", good + "=", good + "A", good[1:], " " + good, good + "\n", "' OR 1=1 --", "../../etc", "\x00", "页"} {
		refused(fmt.Sprintf("%q", cursor), "alice", 2026, cursor)
	}
	for i := range good {
		for _, with := range []byte{'A', 'b', '_'} {
			changed := []byte(good)
			if changed[i] = with; string(changed) != good {
				refused("changed at "+fmt.Sprint(i), "alice", 2026, string(changed))
			}
		}
	}
	if items, _, err := l.Received(t.Context(), "alice", 2026, good); err != nil || len(items) != books.PageMax {
		t.Errorf("the good one: %d items, %v", len(items), err)
	}
}
