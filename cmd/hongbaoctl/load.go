package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"hongbao/cmd/internal/command"
	"hongbao/internal/testbed"
	"hongbao/loadtest/report"
)

// loadCmd is the audited crowd. Verbs that measure start a playground for it and
// throw it away; run and soak work on a running one, found beside the settings
// file. What is measured is never a production service.
type loadCmd struct {
	Run      loadRunCmd      `cmd:"" help:"Run scenarios against the playground and audit every answer."`
	Compare  loadCompareCmd  `cmd:"" help:"Compare the open modes, the ceilings, the price of a refusal and a storm, in one run of under five minutes."`
	Cell     loadCellCmd     `cmd:"" help:"One cell of the comparison by itself, in rounds; can save CPU profiles."`
	Storm    loadStormCmd    `cmd:"" help:"The storm of the comparison by itself: ten times the capacity."`
	Soak     loadSoakCmd     `cmd:"" help:"People send, pay, open and leave envelopes while the provider lies; then every book must agree to the fen."`
	Pipeline loadPipelineCmd `cmd:"" help:"How many opens a second go on for ever with payouts, books and events behind them; and how late refunds are."`
	Full     loadFullCmd     `cmd:"" help:"Measure, fill the hot tables with millions of envelopes, measure again; and what an envelope costs in memory."`
}

// findGround is the running environment of the settings file.
func findGround(ctx context.Context, c *cli) (*testbed.Testbed, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	bed, err := testbed.Find(ctx, c.Config, daemonOf(self))
	if errors.Is(err, testbed.ErrNoPlayground) {
		return nil, fmt.Errorf("load: %w; start it with these settings, or a playground with: hongbaoctl playground up --dir %s", err, command.Quote(filepath.Dir(c.Config)))
	}
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	return bed, nil
}

// onOwnGround measures on a playground that is started for the measurement and
// thrown away after it.
func onOwnGround(ctx context.Context, c *cli, cfg testbed.OwnConfig, do func(*testbed.Testbed) (passed bool, err error)) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cfg.Beside, cfg.Program, cfg.Daemon, cfg.Progress = c.Config, self, daemonOf(self), progress{newNarrator(c.JSON)}
	if err := testbed.OnOwn(ctx, cfg, do); err != nil {
		return fmt.Errorf("load: %w", err)
	}
	return nil
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

// printResult prints a measurement, as JSON or for people. One whose audit failed
// is a finding.
func printResult(c *cli, all any, passed bool, text func(report.Text)) (err error) {
	if c.JSON {
		err = printJSON(all)
	} else {
		text(report.Text{Out: os.Stdout, Err: os.Stderr})
	}
	if err == nil && !passed {
		err = command.ErrFinding
	}
	return err
}
