package bearer

import (
	"net/http"
	"testing"
)

func BenchmarkAuthenticateRepeat(b *testing.B) {
	a := newAuth(b, noon, hsKey())
	h := http.Header{"Authorization": {"Bearer " + tokenFor(b, "alice", "")}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Authenticate(h); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuthenticateFirst(b *testing.B) {
	for _, key := range []Key{hsKey(), edKey()} {
		b.Run(key.Algorithm, func(b *testing.B) {
			a := newAuth(b, noon, key)
			token, err := Mint(key, "alice", "", 1<<40, noon())
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.verify(token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestARepeatedTokenAllocatesNothing(t *testing.T) {
	a := newAuth(t, noon, hsKey())
	h := http.Header{"Authorization": {"Bearer " + tokenFor(t, "alice", "")}}
	allocs := testing.AllocsPerRun(100, func() {
		if _, err := a.Authenticate(h); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations a repeat, want 0", allocs)
	}
}
