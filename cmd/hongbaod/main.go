// Command hongbaod is the daemon: it serves the API, takes payments' word and
// keeps the day tables. Everything an operator types is in hongbaoctl; code that
// starts or kills databases is not linked here.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

type cli struct {
	Serve serveCmd `cmd:"" help:"Serve the API until SIGTERM, then answer what was admitted and stop."`
	Check checkCmd `cmd:"" help:"Read the settings and keys and ask the databases, and say everything that would keep serve from starting. Serves nothing, changes nothing."`
}

func main() {
	var c cli
	parsed := kong.Parse(&c, kong.Name("hongbaod"),
		kong.Description("The red-envelope (红包) daemon. Exit codes: 0 stopped when asked, 1 refused to start or failed, 2 wrong usage."),
		kong.UsageOnError(), kong.Exit(func(code int) {
			if code != 0 {
				code = 2
			}
			os.Exit(code)
		}))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(); err != nil {
		for _, line := range lines(err) {
			fmt.Fprintln(os.Stderr, "hongbaod:", line)
		}
		os.Exit(1)
	}
}
