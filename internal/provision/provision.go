package provision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settings"
	"hongbao/orderset"
	"hongbao/schema"
)

// Findings are what is not as this program would make it, by SET or database.
type Findings map[string][]schema.Difference

// ApplySet makes a SET's database, its accounts and the tables of today and tomorrow.
func ApplySet(ctx context.Context, s *settings.Settings, spec orderset.SetSpec, db *schema.Server) error {
	accounts, err := accountsOf(s)
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

// ApplyBooks makes one database of users' books and its accounts.
func ApplyBooks(ctx context.Context, s *settings.Settings, shard schema.BookShard, db *schema.Server) error {
	accounts, err := accountsOf(s)
	if err != nil {
		return err
	}
	return schema.ApplyBooks(ctx, db.DB, shard, accounts, s.Environment)
}

// VerifySet compares one SET and its server. Days whose tables need not be there
// are compared by their columns.
func VerifySet(ctx context.Context, s *settings.Settings, spec orderset.SetSpec, db *schema.Server) ([]schema.Difference, error) {
	accounts, err := accountsOf(s)
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

// VerifyBooks compares one database of users' books, and its server.
func VerifyBooks(ctx context.Context, s *settings.Settings, shard schema.BookShard, db *schema.Server) ([]schema.Difference, error) {
	accounts, err := accountsOf(s)
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

// Differences compares every database, and the settings of every server. A server
// that does not answer is in the error and hides none of the others.
func Differences(ctx context.Context, s *settings.Settings) (Findings, error) {
	found := Findings{}
	errSets := EachSet(s, func(spec orderset.SetSpec, db *schema.Server) error {
		diffs, err := VerifySet(ctx, s, spec, db)
		if len(diffs) > 0 {
			found[spec.Number.String()] = diffs
		}
		return err
	})
	errBooks := EachShard(s, func(shard schema.BookShard, db *schema.Server) error {
		diffs, err := VerifyBooks(ctx, s, shard, db)
		if len(diffs) > 0 {
			found[schema.BooksDatabaseName(shard.Number)] = diffs
		}
		return err
	})
	return found, errors.Join(errSets, errBooks)
}

// EachSet connects to each SET's server as its administrator. What goes wrong with
// one is joined to the rest and keeps none from its turn.
func EachSet(s *settings.Settings, do func(orderset.SetSpec, *schema.Server) error) error {
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

// EachShard does so for the servers of the books.
func EachShard(s *settings.Settings, do func(schema.BookShard, *schema.Server) error) error {
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

func accountsOf(s *settings.Settings) (schema.Accounts, error) {
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
