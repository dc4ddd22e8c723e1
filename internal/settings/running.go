package settings

import (
	"cmp"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"time"
)

// Log is how the daemon writes its log, on stderr.
type Log struct {
	Level  string `yaml:"level,omitempty" env:"HONGBAO_LOG_LEVEL"`   // debug, info (the default), warn or error
	Format string `yaml:"format,omitempty" env:"HONGBAO_LOG_FORMAT"` // json (the default) or text
}

// The formats of the log.
const (
	LogJSON = "json" // one object a line
	LogText = "text" // for people
)

// SlogLevel is the level by its name.
func (l Log) SlogLevel() (level slog.Level, err error) {
	switch name := cmp.Or(l.Level, "info"); name {
	case "debug", "info", "warn", "error":
		return level, level.UnmarshalText([]byte(name))
	}
	return 0, fmt.Errorf("must be debug, info, warn or error, have %q", l.Level)
}

// Bounds and defaults of how connections end.
const (
	drainNoticeDefault = 5 * time.Second
	drainNoticeMax     = time.Minute
	// idleDefault is longer than the 60 seconds for which proxies keep their side
	// by default: the side that ends a connection first must be theirs, or requests
	// are lost on their way.
	idleDefault = 75 * time.Second
	idleMin     = time.Second
	idleMax     = time.Hour
)

// Notice is for how long requests are still served after SIGTERM while readyz
// says draining.
func (l Listen) Notice() time.Duration { return cmp.Or(l.DrainNotice, drainNoticeDefault) }

// IdleTime is for how long a connection without a request is kept.
func (l Listen) IdleTime() time.Duration { return cmp.Or(l.Idle, idleDefault) }

func (s *Settings) runningMistakes() (found []error) {
	if _, err := s.Log.SlogLevel(); err != nil {
		found = append(found, fmt.Errorf("log.level: %w", err))
	}
	switch s.Log.Format {
	case "", LogJSON, LogText:
	default:
		found = append(found, fmt.Errorf("log.format: must be %s or %s, have %q", LogJSON, LogText, s.Log.Format))
	}
	if d := s.Listen.Notice(); d < 0 || d > drainNoticeMax {
		found = append(found, fmt.Errorf("listen.drain_notice: want 0 < notice <= %v, have %v", drainNoticeMax, d))
	}
	if d := s.Listen.IdleTime(); d < idleMin || d > idleMax {
		found = append(found, fmt.Errorf("listen.idle: want %v <= idle <= %v, have %v", idleMin, idleMax, d))
	}
	return found
}

// Changed names the sections in which two settings differ, as the file does.
func (s *Settings) Changed(other *Settings) (sections []string) {
	a, b := reflect.ValueOf(*s), reflect.ValueOf(*other)
	for i := range a.NumField() {
		field := a.Type().Field(i)
		if !field.IsExported() || reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		sections = append(sections, name)
	}
	return sections
}
