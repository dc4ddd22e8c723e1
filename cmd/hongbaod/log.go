package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/lmittmann/tint"

	"hongbao/internal/settings"
)

// newLog writes to f in the format of the settings, at a level that may change
// while it is used. The format does not depend on what f is: what reads the log
// must not break by being read.
func newLog(f *os.File, format string, level *slog.LevelVar) *slog.Logger {
	if format == settings.LogText {
		info, err := f.Stat()
		terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
		return slog.New(tint.NewTextHandler(f, &tint.Options{Level: level, NoColor: !terminal || os.Getenv("NO_COLOR") != ""}))
	}
	return slog.New(slog.NewJSONHandler(f, &slog.HandlerOptions{Level: level, ReplaceAttr: readable}))
}

// readable writes durations as people and Go do, "1.5s": a bare number of
// nanoseconds is read as anything.
func readable(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.String(a.Key, a.Value.Duration().String())
	}
	return a
}

// setLevel follows the settings.
func setLevel(level *slog.LevelVar, conf *settings.Settings) error {
	l, err := conf.Log.SlogLevel()
	if err != nil {
		return fmt.Errorf("settings: log.level: %w", err)
	}
	level.Set(l)
	return nil
}
