package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"hongbao/cmd/internal/command"
	"hongbao/cmd/internal/settings"
	"hongbao/envelope"
	"hongbao/internal/httpapi"
	"hongbao/loadtest"
)

// loadCmd is the audited crowd. It works on a running playground, found beside
// the settings file; what it measures is never a production service.
type loadCmd struct {
	Run      loadRunCmd      `cmd:"" help:"Run scenarios against the playground and audit every answer."`
	Compare  loadCompareCmd  `cmd:"" help:"Compare the open modes, the ceilings, the price of a refusal and a storm, in one run of under five minutes."`
	Cell     loadCellCmd     `cmd:"" help:"One cell of the comparison by itself, in rounds; can save CPU profiles."`
	Storm    loadStormCmd    `cmd:"" help:"The storm of the comparison by itself: ten times the capacity."`
	Soak     loadSoakCmd     `cmd:"" help:"People send, pay, open and leave envelopes while the provider lies; then every book must agree to the fen."`
	Pipeline loadPipelineCmd `cmd:"" help:"How many opens a second go on for ever with payouts, books and events behind them; and how late refunds are."`
	Full     loadFullCmd     `cmd:"" help:"Measure, fill the hot tables with millions of envelopes, measure again; and what an envelope costs in memory."`
}

const (
	// loadTokenLife outlives every run.
	loadTokenLife = 2 * time.Hour
	// loadCountMax is what the load's own servers allow an envelope to hold: few
	// envelopes to prepare, many opens.
	loadCountMax = loadtest.CountMax
)

// ground is the running playground as the load test sees it.
type ground struct {
	file     string // the settings
	dir      string
	settings *settings.Settings
	report   *report
}

// findGround reads the playground beside the settings file.
func findGround(config string) (*ground, error) {
	conf, err := settings.Load(config)
	if err != nil {
		return nil, err
	}
	if conf.Environment == settings.Production {
		return nil, fmt.Errorf("load: %s says %s: a crowd of strangers is for playgrounds and drills", config, conf.Environment)
	}
	g := &ground{file: config, dir: filepath.Dir(config), settings: conf}
	if g.report, err = readReport(filepath.Join(g.dir, reportName)); err != nil {
		return nil, fmt.Errorf("load: %w; start one with: hongbaoctl playground up --dir %s", err, command.Quote(g.dir))
	}
	if _, err := g.report.supervisor(); err != nil {
		return nil, fmt.Errorf("load: %w; start it with: hongbaoctl playground up --dir %s", err, command.Quote(g.dir))
	}
	return g, nil
}

// users mints tokens for people of the crowd.
func (g *ground) users(n int) ([]loadtest.User, error) {
	keys, err := g.settings.TokenKeys()
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if key.Algorithm != httpapi.HS256 {
			continue
		}
		users := make([]loadtest.User, n)
		for i := range users {
			name := envelope.UserID(fmt.Sprintf("load-%05d", i))
			token, err := httpapi.MintToken(key, name, "", loadTokenLife, time.Now())
			if err != nil {
				return nil, err
			}
			users[i] = loadtest.User{Name: name, Token: token}
		}
		return users, nil
	}
	return nil, fmt.Errorf("load: %s has no HS256 token key, so only its issuer can mint tokens", g.file)
}

// loadKey prefixes idempotency keys: no two runs share one.
func loadKey() string { return "load-" + strconv.FormatInt(time.Now().UnixNano(), 36) }

// loadProgress shows what is going on, on a terminal only.
func loadProgress(quiet bool) func(done, of int, what string) {
	info, err := os.Stderr.Stat()
	if quiet || err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return func(int, int, string) {}
	}
	return func(done, of int, what string) {
		fmt.Fprintf(os.Stderr, "\r\033[K[%3d/%d] %s", done+1, of, what)
		if done+1 >= of {
			fmt.Fprintln(os.Stderr)
		}
	}
}

// writeHTML writes a report's page to a file; none is wanted without a name.
func writeHTML(file string, write func(io.Writer) error) error {
	if file == "" {
		return nil
	}
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return fmt.Errorf("report %s: %w", file, err)
	}
	fmt.Fprintln(os.Stderr, "report:", file)
	return nil
}
