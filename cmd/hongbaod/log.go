package main

import (
	"log/slog"
	"os"

	"github.com/lmittmann/tint"
)

// newLog writes for people on a terminal, JSON lines otherwise.
func newLog(f *os.File) *slog.Logger {
	if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		return slog.New(tint.NewTextHandler(f, &tint.Options{NoColor: os.Getenv("NO_COLOR") != ""}))
	}
	return slog.New(slog.NewJSONHandler(f, nil))
}
