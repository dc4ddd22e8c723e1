package main

import (
	"context"
	"fmt"
	"os"

	"hongbao/cmd/internal/command"
	"hongbao/internal/audit"
	"hongbao/internal/settings"
)

// auditCmd runs every auditor there is. It reads with the audit account, which may
// only SELECT, and trusts no stored result: what can be recomputed is.
type auditCmd struct {
	Looks int `help:"What differs between two books is looked at this often, 1 to 10: on a service that runs, one of them is a moment older." default:"3"`
}

// Validate implements the rule.
func (a auditCmd) Validate() error { return within("looks", a.Looks, 1, 10) }

func (a auditCmd) Run(ctx context.Context, c *cli) error {
	s, err := settings.Load(c.Config)
	if err != nil {
		return err
	}
	report, err := audit.All(ctx, s, a.Looks)
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(report)
	} else {
		printAudited(report)
	}
	if err == nil && report.Found() {
		err = command.ErrFinding
	}
	return err
}

func printAudited(r *audit.Report) {
	for _, s := range r.Sets {
		if s.Error != "" {
			fmt.Fprintf(os.Stderr, "SET %s could not be read: %s\n", s.Set, printable(s.Error))
			continue
		}
		b := s.Books
		fmt.Printf("SET %s: %d envelopes, %d shares; paid %v = opened %v + refunded %v + remaining %v; %d violations\n",
			s.Set, b.Envelopes, b.Shares, b.Paid, b.Opened, b.Refunded, b.Remaining, len(b.Violations))
		for _, v := range b.Violations {
			fmt.Printf("  %s\n", printable(v.String()))
		}
	}
	fmt.Printf("users' books: %d differences%s\n", len(r.UserBooks.Violations), map[bool]string{false: " within; not compared with the SETs'"}[r.UserBooks.Compared])
	for _, v := range r.UserBooks.Violations {
		fmt.Printf("  %s\n", printable(v.String()))
	}
	if r.UserBooks.Error != "" {
		fmt.Fprintf(os.Stderr, "users' books could not be read: %s\n", printable(r.UserBooks.Error))
	}
	if !r.Provider.Compared {
		fmt.Printf("provider: not compared: %s\n", printable(r.Provider.Why))
		return
	}
	fmt.Printf("provider: %d differences\n", len(r.Provider.Differences))
	for _, d := range r.Provider.Differences {
		fmt.Printf("  %s\n", printable(d.String()))
	}
}
