package settings

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/lmittmann/tint"
)

// NewLogger writes to f in the format of the settings, at a level that may change
// while it is used. The format does not depend on what f is: what reads the log
// must not break by being read.
func NewLogger(f *os.File, format string, level *slog.LevelVar) *slog.Logger {
	if format == LogText {
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

// SetLevel has a logger follow the settings.
func (s *Settings) SetLevel(level *slog.LevelVar) error {
	l, err := s.Log.SlogLevel()
	if err != nil {
		return fmt.Errorf("settings: log.level: %w", err)
	}
	level.Set(l)
	return nil
}
