package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"hongbao/cmd/internal/command"
	"hongbao/envelope"
	"hongbao/internal/cluster"
	"hongbao/internal/httpapi/bearer"
	"hongbao/internal/settings"
	"hongbao/loadtest"
	"hongbao/loadtest/report"
)

// loadCmd is the audited crowd. Verbs that measure opens alone start a playground
// for it and throw it away; the others work on a running one, found beside the
// settings file. What it measures is never a production service.
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
	report   *description
}

// findGround reads the playground beside the settings file. Without a
// playground.json there it is an environment that was made by hand, and the settings
// say all there is to know.
func findGround(config string) (*ground, error) {
	conf, err := settings.Load(config)
	if err != nil {
		return nil, err
	}
	if conf.Environment == settings.Production {
		return nil, errNotHere(config)
	}
	g := &ground{file: config, dir: filepath.Dir(config), settings: conf}
	g.report, err = readReport(filepath.Join(g.dir, reportName))
	if errors.Is(err, fs.ErrNotExist) {
		g.report = handMade(conf)
		return g, g.check()
	}
	if err != nil {
		return nil, fmt.Errorf("load: %w; start one with: hongbaoctl playground up --dir %s", err, command.Quote(g.dir))
	}
	if conf.Environment == settings.Drill {
		return g, nil // whatever keeps its processes
	}
	if _, err := g.report.supervisor(); err != nil {
		return nil, fmt.Errorf("load: %w; start it with: hongbaoctl playground up --dir %s", err, command.Quote(g.dir))
	}
	return g, nil
}

// check says what is missing before the first of a thousand callers finds out.
func (g *ground) check() error {
	if err := askReady(context.Background(), g.report.Operator+"/readyz"); err != nil {
		return fmt.Errorf("load: no hongbaod is ready behind %s: %w; start it with these settings, or a playground with: hongbaoctl playground up --dir %s",
			g.file, err, command.Quote(g.dir))
	}
	return nil
}

// handMade is what playground.json would say of an environment that was made by hand.
// Of processes on other machines nothing is known but their addresses, and so no CPU
// time either.
func handMade(conf *settings.Settings) *description {
	r := &description{API: "http://" + dialable(conf.Listen.Public), Operator: "http://" + dialable(conf.Listen.Operator), PaymentSimulator: conf.Payment.BaseURL}
	if events, err := url.Parse(conf.Events.URL); err == nil && events.Host != "" {
		r.Events = events.Scheme + "://" + events.Host
	}
	for _, set := range conf.Sets {
		r.Sets = append(r.Sets, reportSet{Set: set.Set, Nodes: []reportNode{{Addr: set.Primary, PID: localPID(set.Primary), Role: "primary"}}})
		r.Memcached = append(r.Memcached, set.Memcached...)
	}
	r.Processes = []processInfo{{"hongbaod", localPID(conf.Listen.Public)}}
	if base, err := url.Parse(conf.Payment.BaseURL); err == nil {
		r.Processes = append(r.Processes, processInfo{"paysim", localPID(base.Host)})
	}
	return r
}

// dialable is an address to call for one that is listened on.
func dialable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return listen
}

// localPID is the process behind an address of this machine, 0 if it is none.
func localPID(addr string) int {
	host, port, err := net.SplitHostPort(dialable(addr))
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return 0
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return 0
	}
	pid, _ := cluster.ListenerPID(n)
	return pid
}

// users mints tokens for people of the crowd.
func (g *ground) users(n int) ([]loadtest.User, error) {
	keys, err := g.settings.TokenKeys()
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if key.Algorithm != bearer.HS256 {
			continue
		}
		users := make([]loadtest.User, n)
		for i := range users {
			name := envelope.UserID(fmt.Sprintf("load-%05d", i))
			token, err := bearer.Mint(key, name, "", loadTokenLife, time.Now())
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
