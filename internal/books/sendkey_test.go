package books_test

import (
	"errors"
	"testing"

	"hongbao/envelope"
	"hongbao/internal/settest"
)

// FS2: the books keep an idempotency key as a SET does: the first record stays.
func TestAKeyIsKeptAsItCameFirst(t *testing.T) {
	l := newLibrary(t, 3)
	for _, user := range users(9) {
		if _, err := l.FindKey(t.Context(), user, "k"); !errors.Is(err, envelope.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", user, err)
		}
		first := envelope.KeyRecord{Sender: user, Key: "k", Hash: [32]byte{1, 0, 2}, ID: idOf(1)}
		second := envelope.KeyRecord{Sender: user, Key: "k", Hash: [32]byte{3}, ID: idOf(2)}
		for _, claim := range []envelope.KeyRecord{first, first, second} {
			if got, err := l.ClaimKey(t.Context(), claim); err != nil || got != first {
				t.Errorf("%s: claimed %+v, %v, want %+v", user, got, err, first)
			}
		}
		if got, err := l.FindKey(t.Context(), user, "k"); err != nil || got != first {
			t.Errorf("%s: found %+v, %v", user, got, err)
		}
		if _, err := l.FindKey(t.Context(), user, "K"); !errors.Is(err, envelope.ErrNotFound) {
			t.Errorf("%s: another key: %v, want ErrNotFound", user, err)
		}
	}
}

func TestKeyOfASilentShardIsBusy(t *testing.T) {
	l := newLibrary(t, 1)
	r := envelope.KeyRecord{Sender: "ann", Key: "k", ID: idOf(1)}
	for _, fault := range []settest.Fault{settest.LostBefore, settest.LostAfter} {
		l.proxies[0].Lose(fault, "INSERT INTO send_key")
		_, err := l.ClaimKey(t.Context(), r)
		wantBusy(t, err, "books_unavailable")
		if got, err := l.ClaimKey(t.Context(), r); err != nil || got != r {
			t.Errorf("again: %+v, %v", got, err)
		}
		l.proxies[0].Lose(fault, "SELECT order_id, request_hash")
		_, err = l.FindKey(t.Context(), "ann", "k")
		wantBusy(t, err, "books_unavailable")
	}
}
