// Command hongbaoctl is everything an operator or engineer types: the local
// playground, tokens, the schema, what is owed and held, the load, and the check of
// a finished draw. Each verb is one file.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

type cli struct {
	Config        string `help:"The settings file." default:".hongbao/hongbao.yaml" env:"HONGBAO_CONFIG" type:"path"`
	JSON          bool   `help:"Print JSON for scripts instead of text for people." name:"json"`
	operatorFlags `embed:""`

	Playground playgroundCmd `cmd:"" help:"A whole local deployment on real parts, under one directory."`
	Token      tokenCmd      `cmd:"" help:"Mint a bearer token with the configured key."`
	Schema     schemaCmd     `cmd:"" help:"Apply or verify the databases, accounts and grants."`
	Verify     verifyCmd     `cmd:"" help:"Recompute a finished envelope's draw from its revealed seed."`
	Outbox     outboxCmd     `cmd:"" help:"What is owed and not yet carried out: look, pause, resume, retry."`
	Held       heldCmd       `cmd:"" help:"Money that could not be moved: look, propose, approve."`
	Load       loadCmd       `cmd:"" help:"An audited crowd: run scenarios, or compare the open modes with the ceilings."`

	PaymentSimulator simulatorCmd     `cmd:"" hidden:"" help:"Serve the payment simulator (the playground runs this)."`
	EventReceiver    eventReceiverCmd `cmd:"" hidden:"" help:"Take and show the events of an IM backend (the playground runs this)."`
}

// errFinding ends a verb that did its work and found something wrong: exit 1,
// and the verb has said what.
var errFinding = errors.New("differences were found")

func main() {
	var c cli
	parsed := kong.Parse(&c, kong.Name("hongbaoctl"), kong.UsageOnError(),
		kong.Description("Operates hongbao, the red-envelope (红包) service. Exit codes: 0 done, 1 failed or something was found, 2 wrong usage."),
		kong.Exit(func(code int) {
			if code != 0 {
				code = 2
			}
			os.Exit(code)
		}))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(&c); err != nil {
		os.Exit(exitCode(err))
	}
}

// exitCode says why a verb failed, and is the code to end with.
func exitCode(err error) int {
	if errors.Is(err, errFinding) {
		return 1
	}
	if usage, is := errors.AsType[*usageError](err); is {
		fmt.Fprintln(os.Stderr, "hongbaoctl: error:", usage)
		return 2
	}
	fmt.Fprintln(os.Stderr, "hongbaoctl:", err)
	if advised, is := errors.AsType[*advisedError](err); is {
		fmt.Fprintln(os.Stderr, "hongbaoctl:", advised.advice)
	}
	return 1
}
