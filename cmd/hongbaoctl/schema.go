package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hongbao/cmd/internal/settings"
	"hongbao/envelope"
	"hongbao/orderset"
	"hongbao/schema"
)

type schemaCmd struct {
	Apply  schemaApplyCmd  `cmd:"" help:"Make every SET's database and the books', accounts, grants, and the tables of today and tomorrow. Safe to repeat."`
	Verify schemaVerifyCmd `cmd:"" help:"Compare every database with what this program would make. Exit 1 when they differ."`
}

type schemaApplyCmd struct{}

func (schemaApplyCmd) Run(ctx context.Context, c *cli) error {
	s, err := settings.Load(c.Config)
	if err != nil {
		return err
	}
	n := newNarrator(c.JSON)
	err = eachSet(s, func(spec orderset.SetSpec, db *schema.Server) error {
		return n.step(fmt.Sprintf("SET %v at %s", spec.Number, spec.Primary), func() error {
			return applySet(ctx, s, spec, db)
		})
	})
	if err != nil {
		return err
	}
	return eachShard(s, func(shard schema.BookShard, db *schema.Server) error {
		return n.step(fmt.Sprintf("books %d of %d at %s", shard.Number, shard.Of, s.Books[shard.Number].Primary), func() error {
			return applyBooks(ctx, s, shard, db)
		})
	})
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
	if err != nil {
		return err
	}
	return reportDifferences(c.JSON, found)
}

// differences are what is not as this program would make it, by SET or database.
func differences(ctx context.Context, s *settings.Settings) (map[string][]schema.Difference, error) {
	accounts, err := schemaAccounts(s)
	if err != nil {
		return nil, err
	}
	var days []int
	for _, day := range hotDays() {
		days = append(days, day.OfMonth())
	}
	found := map[string][]schema.Difference{}
	err = eachSet(s, func(spec orderset.SetSpec, db *schema.Server) error {
		diffs, err := schema.VerifySet(ctx, db.DB, int(spec.Number), accounts, days)
		if len(diffs) > 0 {
			found[spec.Number.String()] = diffs
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	err = eachShard(s, func(shard schema.BookShard, db *schema.Server) error {
		diffs, err := schema.VerifyBooks(ctx, db.DB, shard, accounts)
		if len(diffs) > 0 {
			found[schema.BooksDatabaseName(shard.Number)] = diffs
		}
		return err
	})
	return found, err
}

func reportDifferences(asJSON bool, found map[string][]schema.Difference) error {
	if asJSON {
		if err := printJSON(map[string]any{"differences": found}); err != nil {
			return err
		}
	} else if len(found) == 0 {
		fmt.Println("every database is as this program would make it")
	}
	if len(found) == 0 {
		return nil
	}
	if !asJSON {
		t := newTable("SET", "object", "want", "got")
		for set, diffs := range found {
			for _, d := range diffs {
				t.AppendRow([]any{set, d.Object, d.Want, d.Got})
			}
		}
		t.Render()
	}
	return errFinding
}

// eachSet connects to each SET's server as its administrator.
func eachSet(s *settings.Settings, do func(orderset.SetSpec, *schema.Server) error) error {
	topology, err := s.Topology()
	if err != nil {
		return err
	}
	for _, spec := range topology.Specs() {
		if err := asAdmin(s, spec.Primary, func(db *schema.Server) error { return do(spec, db) }); err != nil {
			return fmt.Errorf("SET %v: %w", spec.Number, err)
		}
	}
	return nil
}

// eachShard does so for the servers of the books.
func eachShard(s *settings.Settings, do func(schema.BookShard, *schema.Server) error) error {
	for i, b := range s.Books {
		shard := schema.BookShard{Number: i, Of: len(s.Books)}
		if err := asAdmin(s, b.Primary, func(db *schema.Server) error { return do(shard, db) }); err != nil {
			return fmt.Errorf("books %d: %w", i, err)
		}
	}
	return nil
}

func asAdmin(s *settings.Settings, addr string, do func(*schema.Server) error) error {
	admin, err := s.Account("admin", s.Accounts.Admin)
	if err != nil {
		return err
	}
	db, err := schema.Connect(addr, schema.Credential{User: admin.User, Password: admin.Password})
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
