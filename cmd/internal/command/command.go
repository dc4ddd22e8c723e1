// Package command is what the command lines of both programs have in common: the
// reason of a failure first and on standard error, help one line away, exit codes
// that scripts can rely on, and --version.
//
// Guaranteed: exit 0 is done, 1 is failed or something was found, 2 is wrong usage
// and nothing was tried. Standard output has data only. With --json an error is one
// JSON object on standard error.
package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// ErrFinding ends a verb that did its work and found something wrong: exit 1, and
// the verb has said what.
var ErrFinding = errors.New("differences were found")

const (
	exitFailed = 1
	exitUsage  = 2
)

// UsageError is wrong usage that only the verb itself can see.
type UsageError struct{ error }

// Usage makes wrong usage of an error.
func Usage(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// Unwrap is the reason.
func (e *UsageError) Unwrap() error { return e.error }

// AdvisedError is an error and what to do about it.
type AdvisedError struct {
	error
	advice string
}

// Advise adds what to do about an error.
func Advise(err error, advice string) error { return &AdvisedError{err, advice} }

// Unwrap is the error.
func (e *AdvisedError) Unwrap() error { return e.error }

// Main runs a program's command line and ends the process. SIGINT and SIGTERM end
// the context that verbs are given.
func Main(name, description string, grammar any) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := Run(ctx, name, description, grammar, os.Args[1:], os.Stderr)
	stop()
	os.Exit(code)
}

// Run is Main without its ends: it returns the exit code.
func Run(ctx context.Context, name, description string, grammar any, args []string, stderr io.Writer) int {
	parser, err := kong.New(grammar, kong.Name(name), kong.Vars{"version": name + " " + Version()},
		kong.Description(description+" Exit codes: 0 done, 1 failed or something was found, 2 wrong usage."))
	if err != nil {
		panic(err) // the grammar itself is wrong
	}
	r := reporter{name: name, json: slices.Contains(args, "--json"), to: stderr}
	parsed, err := parser.Parse(args)
	if err != nil {
		return r.usage(err)
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	err = parsed.Run(grammar)
	if _, usage := errors.AsType[*UsageError](err); usage {
		return r.say(exitUsage, err, "error: ", help(name, parsed))
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrFinding):
		return exitFailed
	}
	advice := ""
	if advised, is := errors.AsType[*AdvisedError](err); is {
		advice = advised.advice
	}
	return r.say(exitFailed, err, "", advice)
}

// reporter says on standard error why a program fails.
type reporter struct {
	name string
	json bool
	to   io.Writer
}

func (r *reporter) usage(err error) int {
	var at *kong.Context
	if parse, is := errors.AsType[*kong.ParseError](err); is {
		at = parse.Context
	}
	return r.say(exitUsage, err, "error: ", help(r.name, at))
}

// help is where the usage of what was meant is shown.
func help(name string, at *kong.Context) string {
	path := name
	if at != nil && at.Selected() != nil {
		path = at.Selected().FullPath()
	}
	return "usage: " + path + " --help"
}

// say writes the reason, then the advice.
func (r *reporter) say(code int, err error, prefix, advice string) int {
	if r.json {
		return r.sayJSON(code, err, advice)
	}
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); line != "" {
			fmt.Fprintln(r.to, r.name+": "+prefix+line)
		}
	}
	if advice != "" {
		fmt.Fprintln(r.to, r.name+": "+advice)
	}
	return code
}

func (r *reporter) sayJSON(code int, err error, advice string) int {
	said := map[string]any{"exit": code, "message": err.Error()}
	if advice != "" {
		said["advice"] = advice
	}
	if p, is := errors.AsType[interface {
		error
		Answer() (status int, code string)
	}](err); is {
		said["status"], said["code"] = p.Answer()
	}
	enc := json.NewEncoder(r.to)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string]any{"error": said}); err != nil {
		fmt.Fprintln(r.to, r.name+":", err)
	}
	return code
}
