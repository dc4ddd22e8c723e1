package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"hongbao/cmd/internal/command"
	"hongbao/internal/operator"
)

type outboxCmd struct {
	Status   outboxStatusCmd   `cmd:"" help:"What every SET owes, by topic. Exit 1 when something is stuck or paused, or a SET refuses or does not answer."`
	Pause    outboxPauseCmd    `cmd:"" help:"Stop a topic, or all, in every SET until it is resumed. Work under way goes on. Exit 1 when a SET was missed."`
	Resume   outboxResumeCmd   `cmd:"" help:"Let a topic, or all, go on. Exit 1 when a SET was missed."`
	Parked   outboxParkedCmd   `cmd:"" help:"Deliveries that were given up and wait for people. Exit 1 when there are any, or a SET does not answer."`
	Retry    outboxRetryCmd    `cmd:"" help:"Make a parked delivery due at once."`
	Disputes outboxDisputesCmd `cmd:"" help:"What the provider says and our rows deny. Exit 1 when there are any, or a SET does not answer."`
}

// Verbs that list what others decide about.
const (
	lookStatus = "outbox status"
	lookParked = "outbox parked"
)

// newWideTable is a table whose named column has text of strangers in it.
func newWideTable(words string, header ...any) table.Writer {
	const wordsMax = 60 // characters in a line
	t := newTable(header...)
	t.SetColumnConfigs([]table.ColumnConfig{{Name: words, WidthMax: wordsMax, Transformer: func(v any) string { return printable(fmt.Sprint(v)) }}})
	return t
}

// printStates says on standard error which SETs a look knows nothing or not all
// of.
func printStates(states operator.States) {
	for _, one := range states {
		switch {
		case one.Error != "":
			fmt.Fprintf(os.Stderr, "SET %s does not answer, so nothing is shown of it: %s\n", one.Set, printable(one.Error))
		case one.Cut:
			fmt.Fprintf(os.Stderr, "SET %s has more than is shown of it\n", one.Set)
		}
	}
}

type outboxStatusCmd struct{}

func (outboxStatusCmd) Run(ctx context.Context, c *cli) error {
	return look(ctx, c, (*operator.Client).Outbox, printOutbox, func(o *operator.Outbox) bool { return o.Stuck() || o.Paused() || o.Impaired() })
}

func printOutbox(c *cli, o *operator.Outbox) {
	t := newWideTable("note", "SET", "topic", "pending", "oldest", "stuck", "note")
	for _, set := range o.Sets {
		if set.Error != "" {
			t.AppendRow(table.Row{set.Set, "", "", "", "", "does not answer: " + set.Error})
		}
		if set.Refusing != "" {
			t.AppendRow(table.Row{set.Set, "", "", "", "", "refuses opens that need its database: " + set.Refusing})
		}
		for _, one := range set.Topics {
			t.AppendRow(table.Row{set.Set, one.Topic, one.Pending, age(one.OldestMs), one.Stuck, note(&one)})
		}
		t.AppendSeparator()
	}
	t.Render()
	if o.Stuck() {
		fmt.Println("stuck: see", c.hint(lookParked), "and", c.hint(lookHeld))
	}
	if o.Paused() {
		fmt.Println("paused until:", c.hint("outbox resume"))
	}
}

// note is why a topic is paused, and why what is stuck in it is.
func note(t *operator.OutboxTopic) string {
	var notes []string
	if t.Paused != "" {
		notes = append(notes, "paused: "+t.Paused)
	}
	for _, cause := range slices.Sorted(maps.Keys(t.Causes)) {
		notes = append(notes, fmt.Sprintf("%d: %s", t.Causes[cause], cause))
	}
	return strings.Join(notes, "; ")
}

// age is for people; nothing that waits has none.
func age(ms int64) string {
	switch d := time.Duration(ms) * time.Millisecond; {
	case ms == 0:
		return ""
	case d < time.Second:
		return d.String()
	default:
		return d.Round(time.Second).String()
	}
}

type outboxPauseCmd struct {
	Topic  operator.Topic  `help:"outbox, charge, book, event or transfer. Without it, all."`
	Reason operator.Reason `help:"Shown by outbox status."`
}

func (p outboxPauseCmd) Run(ctx context.Context, c *cli) error {
	return steer(ctx, c, "paused in every SET until: "+c.hint("outbox resume"), func(o *operator.Client) (operator.Steered, error) {
		return o.Pause(ctx, operator.PauseInput(p))
	})
}

type outboxResumeCmd struct {
	Topic operator.Topic `help:"outbox, charge, book, event or transfer. Without it, all."`
}

func (r outboxResumeCmd) Run(ctx context.Context, c *cli) error {
	return steer(ctx, c, "going on in every SET", func(o *operator.Client) (operator.Steered, error) {
		return o.Resume(ctx, operator.ResumeInput(r))
	})
}

// steer pauses or resumes, and says where that was not done.
func steer(ctx context.Context, c *cli, done string, do func(*operator.Client) (operator.Steered, error)) error {
	o, err := newOperator(c)
	if err != nil {
		return err
	}
	s, err := do(o)
	if err != nil {
		return c.advice(err, lookStatus)
	}
	missed := s.Missed()
	switch {
	case c.JSON:
		if err := printJSON(s); err != nil {
			return err
		}
	case len(missed) == 0:
		fmt.Printf("%s: %s\n", strings.Join(s.Topics, ", "), done)
	default:
		for _, set := range s.Sets {
			if set.Error == "" {
				fmt.Printf("SET %s: %s: done\n", set.Set, strings.Join(set.Done, ", "))
			}
		}
		for _, set := range missed {
			fmt.Fprintf(os.Stderr, "SET %s: %s NOT done for all of %s: %s\n", set.Set, s.Done, strings.Join(s.Topics, ", "), printable(set.Error))
		}
		fmt.Fprintf(os.Stderr, "repeat it when they answer: a repeat does no harm; %s shows what holds\n", c.hint(lookStatus))
	}
	if len(missed) > 0 {
		return command.ErrFinding
	}
	return nil
}
