// Command hongbaoctl is everything an operator or engineer types: the local
// playground, tokens, the schema, what is pending and held, the load, and the check of
// a finished draw. Each verb is one file.
package main

import (
	"github.com/alecthomas/kong"

	"hongbao/cmd/internal/command"
)

type cli struct {
	Config        string `help:"The settings file." default:".hongbao/hongbao.yaml" env:"HONGBAO_CONFIG" type:"path"`
	JSON          bool   `help:"Print JSON for scripts instead of text for people." name:"json"`
	operatorFlags `embed:""`
	Version       kong.VersionFlag `help:"Print the version and what it was built from."`

	Playground playgroundCmd `cmd:"" help:"A whole local deployment on real parts, under one directory."`
	Token      tokenCmd      `cmd:"" help:"Mint a bearer token with the configured key."`
	Schema     schemaCmd     `cmd:"" help:"Apply or verify the databases, accounts and grants."`
	Verify     verifyCmd     `cmd:"" help:"Recompute a finished envelope's draw from its revealed seed."`
	Outbox     outboxCmd     `cmd:"" help:"What is owed and not yet carried out: look, pause, resume, retry."`
	Held       heldCmd       `cmd:"" help:"Money that could not be moved: look, propose, approve."`
	Audit      auditCmd      `cmd:"" help:"Hold every book to every other: the SETs' rows, users' books, and the simulated provider's ledger. Exit 1 when anything differs or could not be read."`
	Profile    profileCmd    `cmd:"" help:"Take a profile of the running hongbaod, for go tool pprof."`
	Load       loadCmd       `cmd:"" help:"An audited crowd: run scenarios, or compare the open modes with the ceilings."`

	PaymentSimulator simulatorCmd     `cmd:"" hidden:"" help:"Serve the payment simulator (the playground runs this)."`
	EventReceiver    eventReceiverCmd `cmd:"" hidden:"" help:"Take and show the events of an IM backend (the playground runs this)."`
}

// defaultConfig is where a playground of this directory has its settings.
const defaultConfig = ".hongbao/hongbao.yaml"

func main() {
	command.Main("hongbaoctl", "Operates hongbao, the red-envelope (红包) service.", &cli{})
}
