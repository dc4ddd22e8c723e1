package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// printJSON writes one value for scripts.
func printJSON(v any) error {
	enc := json.NewEncoder(os.Stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// terminal reports whether f is a person's terminal that wants colour.
func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
}

// newTable is a plain table on standard output.
func newTable(header ...any) table.Writer {
	t := table.NewWriter()
	t.SetOutputMirror(os.Stdout)
	t.SetStyle(table.StyleLight)
	t.AppendHeader(header)
	return t
}

// narrator tells people what is going on, on standard error, so that standard
// output stays for data. With quiet it says nothing.
type narrator struct {
	quiet bool
	color bool
}

func newNarrator(quiet bool) *narrator {
	return &narrator{quiet: quiet, color: terminal(os.Stderr)}
}

func (n *narrator) say(format string, args ...any) {
	if !n.quiet {
		fmt.Fprintf(os.Stderr, format+"\n", args...)
	}
}

func (n *narrator) strong(s string) string {
	if n.color {
		return text.Bold.Sprint(s)
	}
	return s
}

// step runs one step of long work and says how long it took.
func (n *narrator) step(what string, do func() error) error {
	if n.color && !n.quiet {
		fmt.Fprintf(os.Stderr, "  … %s\r", what)
	}
	start := time.Now()
	if err := do(); err != nil {
		n.say("  ✗ %s", what)
		return fmt.Errorf("%s: %w", what, err)
	}
	n.say("  ✓ %-44s %6.2f s", what, time.Since(start).Seconds())
	return nil
}

// printable is what strangers wrote, without what a terminal would obey.
func printable(s string) string {
	clean := []rune(s)
	for i, r := range clean {
		if !unicode.IsPrint(r) {
			clean[i] = unicode.ReplacementChar
		}
	}
	return string(clean)
}
