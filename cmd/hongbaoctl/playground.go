package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hongbao/cmd/internal/command"
)

type playgroundCmd struct {
	Up   playgroundUpCmd   `cmd:"" help:"Start it, walk one envelope, keep serving until Ctrl-C. A second start resumes with its data."`
	Down playgroundDownCmd `cmd:"" help:"Stop a running one from elsewhere. Its data stays."`
}

type playgroundUpCmd struct {
	Dir        string `help:"Everything lives under this directory." default:".hongbao" type:"path"`
	NoTour     bool   `help:"Do not walk an envelope on the first start."`
	KeepConfig bool   `help:"Run with hongbao.yaml as it is, where it was edited since the last start."`
	playgroundFlags
}

const (
	setsMax    = 8
	portMin    = 1024
	portMax    = 32767 // above are the ports of outgoing connections
	stopMax    = 30 * time.Second
	lockName   = "lock"
	reportName = "playground.json"
	configName = "hongbao.yaml"
)

type flagPort struct {
	flag string
	port int
}

func (u playgroundUpCmd) ports() []flagPort {
	ports := []flagPort{
		{"api-port", u.APIPort}, {"operator-port", u.OperatorPort},
		{"simulator-port", u.SimulatorPort}, {"memcached-port", u.MemcachedPort},
		{"books-port", u.BooksPort}, {"events-port", u.EventsPort},
	}
	for i := range u.Sets {
		ports = append(ports, flagPort{"database-port", u.databasePort(i)})
	}
	return ports
}

func (u playgroundUpCmd) databasePort(set int) int { return u.DatabasePort + 10*set }

func (u playgroundUpCmd) Run(ctx context.Context, c *cli) error {
	if err := os.MkdirAll(u.Dir, 0o755); err != nil {
		return err
	}
	unlock, err := lockDir(u.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	last, err := u.resume()
	if err != nil {
		return err
	}
	// A closed terminal ends the playground like Ctrl-C does.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP)
	defer stop()
	p := &playground{cmd: u, last: last, say: newNarrator(c.JSON)}
	first := !exists(filepath.Join(u.Dir, reportName))
	err = p.start(ctx)
	if err == nil && first && !u.NoTour {
		err = p.tour(ctx)
	}
	if err == nil {
		err = p.announce(c.JSON)
	}
	if err == nil {
		p.supervise(ctx)
	}
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, p.stop())
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

var errRunning = errors.New("a playground is already running")

// lockDir makes this process the only playground of the directory.
func lockDir(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%w in %s; stop it with: hongbaoctl playground down --dir %s", errRunning, dir, command.Quote(dir))
	}
	return func() { f.Close() }, nil
}

type playgroundDownCmd struct {
	Dir string `help:"The directory it was started with." default:".hongbao" type:"path"`
}

func (d playgroundDownCmd) stop(ctx context.Context) error {
	if !exists(filepath.Join(d.Dir, lockName)) {
		return fmt.Errorf("there is no playground in %s, nor has one been there; --dir names the directory of the one to stop", d.Dir)
	}
	unlock, err := lockDir(d.Dir)
	if err == nil {
		unlock()
		fmt.Fprintln(os.Stderr, "no playground is running in", d.Dir)
		return nil
	}
	if !errors.Is(err, errRunning) {
		return fmt.Errorf("playground: %w", err)
	}
	raw, err := os.ReadFile(filepath.Join(d.Dir, reportName))
	if err != nil {
		return fmt.Errorf("playground: %w; it is still starting: try again", err)
	}
	var r description
	if err := json.Unmarshal(raw, &r); err != nil {
		return fmt.Errorf("playground: %s: %w", reportName, err)
	}
	pid, err := r.supervisor()
	if err != nil {
		return err
	}
	if err := unix.Kill(pid, unix.SIGTERM); err != nil {
		return fmt.Errorf("playground: stop process %d: %w", pid, err)
	}
	return d.waitUnlocked(ctx, pid)
}

func (d playgroundDownCmd) Run(ctx context.Context, c *cli) error {
	if err := d.stop(ctx); err != nil || !c.JSON {
		return err
	}
	return printJSON(map[string]any{"stopped": d.Dir})
}

func (d playgroundDownCmd) waitUnlocked(ctx context.Context, pid int) error {
	ctx, cancel := context.WithTimeout(ctx, stopMax)
	defer cancel()
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		if unlock, err := lockDir(d.Dir); err == nil {
			unlock()
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("playground: process %d has not stopped within %v", pid, stopMax)
		case <-tick.C:
		}
	}
}

// supervisor is the pid of the running "playground up", checked to be one: a
// stale file must not make us stop a stranger.
func (r *description) supervisor() (int, error) {
	for _, p := range r.Processes {
		if p.Name == supervisorName {
			cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.PID))
			if err != nil || !strings.Contains(string(cmdline), "playground\x00up") {
				return 0, fmt.Errorf("playground: process %d is not a playground any more", p.PID)
			}
			return p.PID, nil
		}
	}
	return 0, fmt.Errorf("playground: %s names no %s", reportName, supervisorName)
}
