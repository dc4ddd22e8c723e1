package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"hongbao/internal/cluster"
	"hongbao/internal/httpapi"
	"hongbao/internal/operator"
	"hongbao/internal/playground"
	"hongbao/internal/settings"
	"hongbao/loadtest/measure"
)

// StartServer starts a hongbaod of our own in an open mode, on the playground's
// databases and keys and on ports of its own. The playground's own one idles.
func (bed *Testbed) StartServer(ctx context.Context, mode string) (*measure.Server, error) {
	return bed.startChanged(ctx, mode, mode, func(s *settings.Settings) { s.Limits.CountMax = CountMax })
}

// startChanged is startServer with changed settings, under a name for its files.
func (bed *Testbed) startChanged(ctx context.Context, name, mode string, change func(*settings.Settings)) (*measure.Server, error) {
	ports, err := cluster.FreePorts(2)
	if err != nil {
		return nil, err
	}
	conf, err := bed.load(bed.file)
	if err != nil {
		return nil, err
	}
	conf.Listen.Public, conf.Listen.Operator = playground.Loopback(ports[0]), playground.Loopback(ports[1])
	conf.Listen.ConnectionsPerAddressMax = httpapi.DefaultConnectionsMax // the crowd is one address
	conf.Payment.NotifyURL = "http://" + conf.Listen.Public + "/v1/payment/notifications"
	change(conf)
	file := filepath.Join(bed.dir, "load-"+name+".yaml")
	if err := conf.Save(file); err != nil {
		return nil, err
	}
	proc, err := cluster.Start(cluster.Command{
		Name: "hongbaod " + name, Path: bed.daemon, Env: playground.WithoutSettings(os.Environ()),
		Args: []string{"serve", "--config", file, "--open-mode", mode}, LogFile: filepath.Join(bed.dir, "load-"+name+".log"),
	})
	if err != nil {
		return nil, err
	}
	base := "http://" + conf.Listen.Operator
	stop := func(ctx context.Context) error { return errors.Join(proc.Stop(ctx), os.Remove(file)) }
	err = playground.AwaitReady(ctx, proc, base+"/readyz")
	var s *measure.Server
	if err == nil {
		s, err = bed.server(ctx, "http://"+conf.Listen.Public, base, proc.PID())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("hongbaod %s: %w", name, err), stop(context.WithoutCancel(ctx)))
	}
	s.Stop = stop
	return s, nil
}

// server is a running hongbaod as the load test knows it.
func (bed *Testbed) server(ctx context.Context, api, base string, pid int) (*measure.Server, error) {
	o, err := bed.operator(base)
	if err != nil {
		return nil, err
	}
	mode, err := o.LoadMode(ctx)
	if err != nil {
		return nil, err
	}
	var databases []int
	for _, set := range bed.desc.Sets {
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
		Refuse:  func(ctx context.Context, on bool) error { return bed.refuse(ctx, base, on) },
		Memory:  func(ctx context.Context) (measure.Memory, error) { return bed.memory(ctx, base) },
		Profile: func(ctx context.Context, seconds int) ([]byte, error) { return bed.profile(ctx, base, seconds) },
		Stop:    func(context.Context) error { return nil },
	}, nil
}

// refuse makes every SET refuse, or ends that.
func (bed *Testbed) refuse(ctx context.Context, base string, on bool) error {
	o, err := bed.operator(base)
	if err != nil {
		return err
	}
	do := o.Admit
	if on {
		do = o.Refuse
	}
	var errs []error
	for _, set := range bed.desc.Sets {
		errs = append(errs, do(ctx, operator.SetInput{Set: operator.SetNumber(set.Set)}))
	}
	return errors.Join(errs...)
}

// OwnServer is the playground's own hongbaod.
func (bed *Testbed) OwnServer(ctx context.Context) (*measure.Server, error) {
	return bed.server(ctx, bed.desc.API, bed.desc.Operator, bed.desc.PID("hongbaod"))
}

// StartShort starts a hongbaod on its own ports whose envelopes live for life.
func (bed *Testbed) StartShort(ctx context.Context, life time.Duration) (*measure.Server, error) {
	return bed.startChanged(ctx, "short", measure.ModeGroup, func(s *settings.Settings) { s.Limits.Life = life })
}
