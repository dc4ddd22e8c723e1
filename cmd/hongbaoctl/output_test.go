package main

import "testing"

func TestControlCharactersAreNotPrinted(t *testing.T) {
	for in, want := range map[string]string{
		"余额不足 12.00": "余额不足 12.00", "\x1b[2Jgone": "\ufffd[2Jgone", "a\rb\nc\u202ed": "a\ufffdb\ufffdc\ufffdd", "\xff": "\ufffd",
	} {
		if got := printable(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}

func TestAgesAreShort(t *testing.T) {
	for ms, want := range map[int64]string{0: "", 250: "250ms", 1499: "1s", 90_061_000: "25h1m1s"} {
		if got := age(ms); got != want {
			t.Errorf("%d ms: %q, want %q", ms, got, want)
		}
	}
}
