package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"hongbao/cmd/internal/command"
	"hongbao/envelope"
	"hongbao/internal/settings"
	"hongbao/orderset"
	"hongbao/schema"
)

type schemaCmd struct {
	Apply  schemaApplyCmd  `cmd:"" help:"Make every SET's database and the books', accounts, grants, and the tables of today and tomorrow. Safe to repeat."`
	Verify schemaVerifyCmd `cmd:"" help:"Compare every database with what this program would make. Exit 1 when they differ."`
}

type schemaApplyCmd struct{}

// Run applies what can be applied and then compares: what apply never changes, a
// table that is there, a grant too many, a setting of the server, is a finding.
func (schemaApplyCmd) Run(ctx context.Context, c *cli) error {
	s, err := settings.Load(c.Config)
	if err != nil {
		return err
	}
	n, found := newNarrator(c.JSON), findings{}
	errSets := eachSet(s, func(spec orderset.SetSpec, db *schema.Server) error {
		return found.step(n, fmt.Sprintf("SET %v at %s", spec.Number, spec.Primary), spec.Number.String(), func() ([]schema.Difference, error) {
			if err := applySet(ctx, s, spec, db); err != nil {
				return nil, err
			}
			return verifySet(ctx, s, spec, db)
		})
	})
	errBooks := eachShard(s, func(shard schema.BookShard, db *schema.Server) error {
		what := fmt.Sprintf("books %d of %d at %s", shard.Number, shard.Of, s.Books[shard.Number].Primary)
		return found.step(n, what, schema.BooksDatabaseName(shard.Number), func() ([]schema.Difference, error) {
			if err := applyBooks(ctx, s, shard, db); err != nil {
				return nil, err
			}
			return verifyBooks(ctx, s, shard, db)
		})
	})
	err = errors.Join(errSets, errBooks)
	if !c.JSON && len(found) == 0 {
		return err
	}
	return found.report(c.JSON, err)
}

func applyBooks(ctx context.Context, s *settings.Settings, shard schema.BookShard, db *schema.Server) error {
	accounts, err := schemaAccounts(s)
	if err != nil {
		return err
	}
	return schema.ApplyBooks(ctx, db.DB, shard, accounts, s.Environment)
}

func applySet(ctx context.Context, s *settings.Settings, spec orderset.SetSpec, db *schema.Server) error {
	accounts, err := schemaAccounts(s)
	if err != nil {
		return err
	}
	var machines []int
	if spec.MachineBlock >= 0 {
		for i := range orderset.MachineBlockSize {
			machines = append(machines, spec.MachineBlock*orderset.MachineBlockSize+i)
		}
	}
	if err := schema.ApplySet(ctx, db.DB, int(spec.Number), accounts, s.Environment, machines); err != nil {
		return err
	}
	for _, day := range hotDays() {
		if err := schema.MakeDayTables(ctx, db.DB, int(spec.Number), day.OfMonth()); err != nil {
			return err
		}
	}
	return nil
}

type schemaVerifyCmd struct{}

func (schemaVerifyCmd) Run(ctx context.Context, c *cli) error {
	s, err := settings.Load(c.Config)
	if err != nil {
		return err
	}
	found, err := differences(ctx, s)
	if err != nil && len(found) == 0 {
		return err
	}
	return found.report(c.JSON, err)
}

// findings are what is not as this program would make it, by SET or database.
type findings map[string][]schema.Difference

// step narrates a comparison whose findings are reported in the end.
func (f findings) step(n *narrator, what, name string, compare func() ([]schema.Difference, error)) error {
	err := n.step(what, func() error {
		diffs, err := compare()
		if len(diffs) == 0 {
			return err
		}
		f[name] = diffs
		return cmp.Or(err, command.ErrFinding)
	})
	if errors.Is(err, command.ErrFinding) {
		return nil
	}
	return err
}

// differences compares every database, and the settings of every server. A server
// that does not answer is in the error and hides none of the others.
func differences(ctx context.Context, s *settings.Settings) (findings, error) {
	found := findings{}
	errSets := eachSet(s, func(spec orderset.SetSpec, db *schema.Server) error {
		diffs, err := verifySet(ctx, s, spec, db)
		if len(diffs) > 0 {
			found[spec.Number.String()] = diffs
		}
		return err
	})
	errBooks := eachShard(s, func(shard schema.BookShard, db *schema.Server) error {
		diffs, err := verifyBooks(ctx, s, shard, db)
		if len(diffs) > 0 {
			found[schema.BooksDatabaseName(shard.Number)] = diffs
		}
		return err
	})
	return found, errors.Join(errSets, errBooks)
}

// verifySet compares one SET and its server. Days whose tables need not be there
// are compared by their columns.
func verifySet(ctx context.Context, s *settings.Settings, spec orderset.SetSpec, db *schema.Server) ([]schema.Difference, error) {
	accounts, err := schemaAccounts(s)
	if err != nil {
		return nil, err
	}
	var days []int
	for _, day := range hotDays() {
		days = append(days, day.OfMonth())
	}
	unsafe, err := db.VerifySettings(ctx)
	if err != nil {
		return nil, err
	}
	diffs, err := schema.VerifySet(ctx, db.DB, int(spec.Number), accounts, days)
	return append(unsafe, diffs...), err
}

func verifyBooks(ctx context.Context, s *settings.Settings, shard schema.BookShard, db *schema.Server) ([]schema.Difference, error) {
	accounts, err := schemaAccounts(s)
	if err != nil {
		return nil, err
	}
	unsafe, err := db.VerifySettings(ctx)
	if err != nil {
		return nil, err
	}
	diffs, err := schema.VerifyBooks(ctx, db.DB, shard, accounts)
	return append(unsafe, diffs...), err
}

// report prints the findings and returns what the verb ends with: err, or
// command.ErrFinding if there are any.
func (f findings) report(asJSON bool, err error) error {
	switch {
	case asJSON:
		err = cmp.Or(err, printJSON(map[string]any{"differences": f}))
	case len(f) == 0:
		fmt.Println("every database is as this program would make it")
	default:
		t := newTable("SET", "object", "want", "got")
		for _, name := range slices.Sorted(maps.Keys(f)) {
			for _, d := range f[name] {
				t.AppendRow([]any{name, d.Object, d.Want, d.Got})
			}
		}
		t.Render()
	}
	if err == nil && len(f) > 0 {
		return command.ErrFinding
	}
	return err
}

// eachSet connects to each SET's server as its administrator. What goes wrong with
// one is joined to the rest and keeps none from its turn.
func eachSet(s *settings.Settings, do func(orderset.SetSpec, *schema.Server) error) error {
	topology, err := s.Topology()
	if err != nil {
		return err
	}
	var all []error
	for _, spec := range topology.Specs() {
		if err := asAdmin(s, spec.Primary, func(db *schema.Server) error { return do(spec, db) }); err != nil {
			all = append(all, fmt.Errorf("SET %v: %w", spec.Number, err))
		}
	}
	return errors.Join(all...)
}

// eachShard does so for the servers of the books.
func eachShard(s *settings.Settings, do func(schema.BookShard, *schema.Server) error) error {
	var all []error
	for i, b := range s.Books {
		shard := schema.BookShard{Number: i, Of: len(s.Books)}
		if err := asAdmin(s, b.Primary, func(db *schema.Server) error { return do(shard, db) }); err != nil {
			all = append(all, fmt.Errorf("books %d: %w", i, err))
		}
	}
	return errors.Join(all...)
}

func asAdmin(s *settings.Settings, addr string, do func(*schema.Server) error) error {
	admin, err := s.Account("admin", s.Accounts.Admin)
	if err != nil {
		return err
	}
	db, err := schema.Connect(addr, admin)
	if err != nil {
		return err
	}
	return errors.Join(do(db), db.Close())
}

// hotDays are the days whose tables must exist now: today and tomorrow.
func hotDays() []envelope.Day {
	today := envelope.DayOf(time.Now())
	return []envelope.Day{today, today.Add(1)}
}

func schemaAccounts(s *settings.Settings) (schema.Accounts, error) {
	a := schema.Accounts{Host: s.Accounts.Host}
	for _, one := range []struct {
		name string
		from settings.Account
		to   *schema.Credential
	}{
		{"app", s.Accounts.App, &a.App}, {"migrator", s.Accounts.Migrator, &a.Migrator},
		{"audit", s.Accounts.Audit, &a.Audit}, {"arbiter", s.Accounts.Arbiter, &a.Arbiter},
	} {
		account, err := s.Account(one.name, one.from)
		if err != nil {
			return a, err
		}
		*one.to = schema.Credential{User: account.User, Password: account.Password}
	}
	return a, nil
}
