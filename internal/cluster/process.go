package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// StartMax bounds how long a server may take from being executed to its
	// first answer. An ordinary start takes 0.2 s; the rest is crash recovery.
	StartMax = 60 * time.Second
	// StopMax is how long Stop waits for a child that was asked to end.
	StopMax = 15 * time.Second
	// KillMax is how long Kill waits for the kernel to confirm the end. Only a
	// child stuck inside the kernel, on a dead disk say, takes any time at all.
	KillMax = 5 * time.Second
	// FreezeMax is how long Freeze waits for the last thread to stop.
	FreezeMax = time.Second

	// pollEvery paces every wait for something that cannot notify us.
	pollEvery = 5 * time.Millisecond
)

// Command says what a Process runs.
type Command struct {
	Name    string   // in messages: "hb_000", "paysim"
	Path    string   // of the executable
	Args    []string // without the program's own name
	Env     []string // "KEY=value"; nil inherits ours
	Dir     string   // working directory; empty means ours
	LogFile string   // standard output and error are appended here

	stdin   io.Reader
	inherit []*os.File // the child's descriptors 3, 4, …
	cleanup func()     // runs when the child has ended, before Done
}

// Process is one child process. Its methods may be called from any goroutine.
type Process struct {
	name    string
	log     logFile
	cmd     *exec.Cmd
	cleanup func()

	// asked is set before the first signal meant to end the child, so that a
	// death by signal can be distinguished from an accident.
	asked atomic.Bool

	// err belongs to run until done is closed, and is constant afterwards.
	done chan struct{}
	err  error
}

// Start starts c. It returns when the program has been executed, which is not
// yet when it is ready for anything.
func Start(c Command) (*Process, error) {
	if c.cleanup == nil {
		c.cleanup = func() {}
	}
	log, out, err := openLog(c.LogFile)
	if err != nil {
		c.cleanup()
		return nil, fmt.Errorf("log of %s: %w", c.Name, err)
	}
	defer out.Close()

	cmd := exec.Command(c.Path, c.Args...)
	cmd.Env, cmd.Dir = c.Env, c.Dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.stdin, out, out
	cmd.ExtraFiles = c.inherit
	// Its own group: a Ctrl-C in the terminal reaches us alone, and we end the
	// children in the right order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}

	p := &Process{name: c.Name, log: log, cmd: cmd, cleanup: c.cleanup, done: make(chan struct{})}
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start of %s: %w", c.Name, err)
	}
	return p, nil
}

// run forks the child, then waits for it on the same thread.
//
// The kernel sends Pdeathsig when the *thread* that forked ends, not when the
// process does, and the Go runtime ends idle threads as it likes. So the fork
// happens on a thread that is locked to this goroutine, and the goroutine stays
// until the child is gone: the thread cannot end first unless all of us does.
// It costs no thread, since waiting for a child occupies one anyway.
//
// The kernel forgets Pdeathsig when the child changes its user. Children
// therefore run as the user we are; see userArgs.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	err := p.cmd.Start()
	started <- err
	if err == nil {
		p.err = p.verdict(p.cmd.Wait())
	}
	p.cleanup()
	close(p.done)
}

// verdict turns how the child ended into what Err says.
func (p *Process) verdict(err error) error {
	if err == nil {
		return nil
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && p.asked.Load() {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return nil
		}
	}
	return fmt.Errorf("%s ended: %w%s", p.name, err, p.log.tail())
}

// PID is the child's process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the child has ended and has been reaped.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err is nil while the child runs, and after it ended well: with status 0, or
// by a signal of Stop or Kill. Otherwise it says how the child ended and quotes
// the end of its log.
func (p *Process) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// Stop asks the child to end (SIGTERM) and waits. A frozen child is thawed to
// receive it. After StopMax, or when ctx ends, the child is killed and the error
// says so: whatever Stop returns, the child is not left running.
// Stopping a child that has ended already returns Err.
func (p *Process) Stop(ctx context.Context) error {
	p.asked.Store(true)
	if err := errors.Join(p.signal(syscall.SIGTERM), p.signal(syscall.SIGCONT)); err != nil {
		return err
	}
	timer := time.NewTimer(StopMax)
	defer timer.Stop()
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
	case <-timer.C:
	}
	if err := p.Kill(); err != nil {
		return err
	}
	return fmt.Errorf("%s was killed: it did not end on SIGTERM%s", p.name, p.log.tail())
}

// Kill ends the child with SIGKILL and returns when the kernel has confirmed
// its death. It works on a frozen child, which never runs again: this is how a
// primary is fenced.
func (p *Process) Kill() error {
	p.asked.Store(true)
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	timer := time.NewTimer(KillMax)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
		return fmt.Errorf("%s (pid %d) is still there %v after SIGKILL", p.name, p.PID(), KillMax)
	}
}

// Freeze stops the child in its tracks (SIGSTOP): it keeps its sockets, locks
// and memory and does nothing, like a host that hangs. It returns when every
// thread has stopped, so nothing is answered afterwards.
func (p *Process) Freeze() error {
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	deadline := time.NewTimer(FreezeMax)
	defer deadline.Stop()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for !stopped(p.PID()) {
		select {
		case <-p.done:
			return fmt.Errorf("freeze of %s: %w", p.name, os.ErrProcessDone)
		case <-deadline.C:
			return fmt.Errorf("%s (pid %d) still runs %v after SIGSTOP", p.name, p.PID(), FreezeMax)
		case <-tick.C:
		}
	}
	return nil
}

// Thaw lets a frozen child run on (SIGCONT).
func (p *Process) Thaw() error { return p.signal(syscall.SIGCONT) }

// errHopeless marks an answer that no further asking will improve.
var errHopeless = errors.New("the answer will not change")

// awaitAnswer calls ask until it returns nil, at most for StartMax and as long
// as the child lives. The child is left as it is.
func (p *Process) awaitAnswer(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, StartMax)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := ask(ctx)
		if err == nil || errors.Is(err, errHopeless) {
			return err
		}
		select {
		case <-p.done:
			if p.err != nil {
				return p.err
			}
			return fmt.Errorf("%s ended before it answered%s", p.name, p.log.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s gave no answer: %w (%w)%s", p.name, err, ctx.Err(), p.log.tail())
		case <-tick.C:
		}
	}
}

// signal sends sig; a child that has ended already needs none. The pid cannot
// be another process's: os.Process knows whether it reaped the child.
func (p *Process) signal(sig syscall.Signal) error {
	err := p.cmd.Process.Signal(sig)
	if err == nil || errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return fmt.Errorf("%v to %s (pid %d): %w", sig, p.name, p.PID(), err)
}
