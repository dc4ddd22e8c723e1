package command

import (
	"runtime"
	"runtime/debug"
	"strings"
)

// Version is what this program was built from, as the toolchain stamped it.
func Version() string {
	v := "unknown"
	if info, is := debug.ReadBuildInfo(); is && info.Main.Version != "" {
		v = info.Main.Version
	}
	return v + " (" + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + ")"
}

// Quote is s as a shell reads it back.
func Quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+=,", r)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
