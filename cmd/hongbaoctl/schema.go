package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"hongbao/cmd/internal/command"
	"hongbao/internal/provision"
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
	errSets := provision.EachSet(s, func(spec orderset.SetSpec, db *schema.Server) error {
		return found.step(n, fmt.Sprintf("SET %v at %s", spec.Number, spec.Primary), spec.Number.String(), func() ([]schema.Difference, error) {
			if err := provision.ApplySet(ctx, s, spec, db); err != nil {
				return nil, err
			}
			return provision.VerifySet(ctx, s, spec, db)
		})
	})
	errBooks := provision.EachShard(s, func(shard schema.BookShard, db *schema.Server) error {
		what := fmt.Sprintf("books %d of %d at %s", shard.Number, shard.Of, s.Books[shard.Number].Primary)
		return found.step(n, what, schema.BooksDatabaseName(shard.Number), func() ([]schema.Difference, error) {
			if err := provision.ApplyBooks(ctx, s, shard, db); err != nil {
				return nil, err
			}
			return provision.VerifyBooks(ctx, s, shard, db)
		})
	})
	err = errors.Join(errSets, errBooks)
	if !c.JSON && len(found) == 0 {
		return err
	}
	return found.report(c.JSON, err)
}

type schemaVerifyCmd struct{}

func (schemaVerifyCmd) Run(ctx context.Context, c *cli) error {
	s, err := settings.Load(c.Config)
	if err != nil {
		return err
	}
	found, err := provision.Differences(ctx, s)
	if err != nil && len(found) == 0 {
		return err
	}
	return findings(found).report(c.JSON, err)
}

// findings are what is not as this program would make it, by SET or database.
type findings provision.Findings

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
