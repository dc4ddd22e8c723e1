package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hongbao/internal/cluster"
	"hongbao/internal/httpapi"
	"hongbao/internal/operator"
	"hongbao/internal/settings"
	"hongbao/loadtest/measure"
	"hongbao/orderset"
	"hongbao/queue"
)

const (
	ceilingFor = 2 * time.Second
)

// readReport reads playground.json.
func readReport(file string) (*description, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := new(description)
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}

// startServer starts a hongbaod of our own in an open mode, on the playground's
// databases and keys and on ports nobody has. The playground's own one idles.
func (g *ground) startServer(ctx context.Context, mode string) (*measure.Server, error) {
	return g.startChanged(ctx, mode, mode, func(s *settings.Settings) { s.Limits.CountMax = loadCountMax })
}

// startChanged is startServer with changed settings, under a name for its files.
func (g *ground) startChanged(ctx context.Context, name, mode string, change func(*settings.Settings)) (*measure.Server, error) {
	ports, err := cluster.FreePorts(2)
	if err != nil {
		return nil, err
	}
	conf, err := settings.Load(g.file)
	if err != nil {
		return nil, err
	}
	conf.Listen.Public, conf.Listen.Operator = loopback(ports[0]), loopback(ports[1])
	conf.Listen.ConnectionsPerAddressMax = httpapi.DefaultConnectionsMax // the crowd is one address
	conf.Payment.NotifyURL = "http://" + conf.Listen.Public + "/v1/payment/notifications"
	change(conf)
	file := filepath.Join(g.dir, "load-"+name+".yaml")
	if err := conf.Save(file); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	proc, err := cluster.Start(cluster.Command{
		Name: "hongbaod " + name, Path: filepath.Join(filepath.Dir(self), "hongbaod"), Env: withoutOurs(os.Environ()),
		Args: []string{"serve", "--config", file, "--open-mode", mode}, LogFile: filepath.Join(g.dir, "load-"+name+".log"),
	})
	if err != nil {
		return nil, err
	}
	base := "http://" + conf.Listen.Operator
	stop := func(ctx context.Context) error { return errors.Join(proc.Stop(ctx), os.Remove(file)) }
	err = waitReady(ctx, proc, base+"/readyz")
	var s *measure.Server
	if err == nil {
		s, err = g.server(ctx, "http://"+conf.Listen.Public, base, proc.PID())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("hongbaod %s: %w", name, err), stop(context.WithoutCancel(ctx)))
	}
	s.Stop = stop
	return s, nil
}

// withoutOurs is an environment that overrides no setting.
func withoutOurs(env []string) (rest []string) {
	for _, one := range env {
		if !strings.HasPrefix(one, "HONGBAO_") {
			rest = append(rest, one)
		}
	}
	return rest
}

// server is a running hongbaod as the load test knows it.
func (g *ground) server(ctx context.Context, api, base string, pid int) (*measure.Server, error) {
	o, err := g.operator(base)
	if err != nil {
		return nil, err
	}
	mode, err := o.LoadMode(ctx)
	if err != nil {
		return nil, err
	}
	var databases []int
	for _, set := range g.report.Sets {
		for _, node := range set.Nodes {
			if node.PID != 0 {
				databases = append(databases, node.PID)
			}
		}
	}
	return &measure.Server{
		API: api, Mode: mode.OpenMode, Durability: mode.Durability,
		CPU: func() (service, database time.Duration, err error) {
			if pid != 0 { // else it runs on another machine
				service, err = measure.ProcessCPU(pid)
			}
			if err != nil {
				return 0, 0, err
			}
			database, err = measure.ProcessCPU(databases...)
			return service, database, err
		},
		Refuse:  func(ctx context.Context, on bool) error { return g.refuse(ctx, base, on) },
		Memory:  func(ctx context.Context) (measure.Memory, error) { return g.memory(ctx, base) },
		Profile: func(ctx context.Context, seconds int) ([]byte, error) { return g.profile(ctx, base, seconds) },
		Stop:    func(context.Context) error { return nil },
	}, nil
}

// refuse makes every SET refuse, or ends that.
func (g *ground) refuse(ctx context.Context, base string, on bool) error {
	o, err := g.operator(base)
	if err != nil {
		return err
	}
	do := o.Admit
	if on {
		do = o.Refuse
	}
	var errs []error
	for _, set := range g.report.Sets {
		errs = append(errs, do(ctx, operator.SetInput{Set: operator.SetNumber(set.Set)}))
	}
	return errors.Join(errs...)
}

// insertCeiling is what the first SET's database takes in bare rows.
func (g *ground) insertCeiling(ctx context.Context) (float64, error) {
	topology, err := g.settings.Topology()
	if err != nil {
		return 0, err
	}
	app, err := g.settings.Account("app", g.settings.Accounts.App)
	if err != nil {
		return 0, err
	}
	return orderset.InsertCeiling(ctx, topology.Specs()[0], app, ceilingFor)
}

// casCeiling is what the first memcached takes in compare-and-swaps.
func (g *ground) casCeiling(ctx context.Context) (float64, error) {
	if len(g.report.Memcached) == 0 {
		return 0, nil
	}
	return queue.CASCeiling(ctx, g.report.Memcached[0], ceilingFor)
}

// books reads every row of every SET.
func (g *ground) books(ctx context.Context) (all []measure.Books, err error) {
	err = g.auditors(func(auditor *orderset.Auditor) error {
		b, err := auditor.Audit(ctx)
		if err == nil {
			all = append(all, booksOf(b))
		}
		return err
	})
	return all, err
}

func booksOf(b *orderset.Books) measure.Books {
	out := measure.Books{Set: b.Set, Envelopes: b.Envelopes, Shares: b.Shares, Paid: b.Paid, Opened: b.Opened,
		Refunded: b.Refunded, Remaining: b.Remaining, Violations: []string{}}
	for _, v := range b.Violations {
		out.Violations = append(out.Violations, v.String())
	}
	return out
}
