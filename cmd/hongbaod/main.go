// Command hongbaod is the daemon: it serves the API, takes payments' word and
// keeps the day tables. Everything an operator types is in hongbaoctl; code that
// starts or kills databases is not linked here.
package main

import (
	"github.com/alecthomas/kong"

	"hongbao/cmd/internal/command"
)

type cli struct {
	Serve serveCmd `cmd:"" help:"Serve the API until SIGTERM, then answer what was admitted and stop."`
	Check checkCmd `cmd:"" help:"Read the settings and keys and ask the databases, and say everything that would keep serve from starting. Serves nothing, changes nothing."`

	Version kong.VersionFlag `help:"Print the version and what it was built from."`
}

func main() {
	command.Main("hongbaod", "The red-envelope (红包) daemon.", &cli{})
}
