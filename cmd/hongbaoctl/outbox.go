package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"hongbao/orderset"
)

type outboxCmd struct {
	Status   outboxStatusCmd   `cmd:"" help:"What every SET owes, by topic. Exit 1 when something is stuck or paused."`
	Pause    outboxPauseCmd    `cmd:"" help:"Stop a topic, or all, in every SET until it is resumed. Work under way goes on."`
	Resume   outboxResumeCmd   `cmd:"" help:"Let a topic, or all, go on."`
	Parked   outboxParkedCmd   `cmd:"" help:"Deliveries that were given up and wait for people. Exit 1 when there are any."`
	Retry    outboxRetryCmd    `cmd:"" help:"Make a parked delivery due at once."`
	Disputes outboxDisputesCmd `cmd:"" help:"What the provider says and our rows deny. Exit 1 when there are any."`
}

// lookParked lists what can be retried.
const lookParked = "hongbaoctl outbox parked"

// ask reads what an operator may look at, prints it, and is a finding when it
// is found to be one.
func ask[T any](ctx context.Context, c *cli, path string, print func(*T), finding func(*T) bool) error {
	o, err := newOperator(c, "", "")
	if err != nil {
		return err
	}
	var got T
	if err := o.call(ctx, http.MethodGet, path, nil, &got); err != nil {
		return err
	}
	if c.JSON {
		if err := printJSON(got); err != nil {
			return err
		}
	} else {
		print(&got)
	}
	if finding(&got) {
		return errFinding
	}
	return nil
}

// newWideTable is a table whose named column has strangers' words in it.
func newWideTable(words string, header ...any) table.Writer {
	const wordsMax = 60 // characters in a line
	t := newTable(header...)
	t.SetColumnConfigs([]table.ColumnConfig{{Name: words, WidthMax: wordsMax, Transformer: func(v any) string { return printable(fmt.Sprint(v)) }}})
	return t
}

// owed is what GET /outbox answers.
type owed struct {
	Sets []owedBySet `json:"sets"`
}

type owedBySet struct {
	Set    string        `json:"set"`
	Topics []owedByTopic `json:"topics"`
}

type owedByTopic struct {
	Topic    string `json:"topic"`
	Pending  int    `json:"pending"`
	OldestMs int64  `json:"oldest_ms"`
	Stuck    int    `json:"stuck"`
	Paused   string `json:"paused,omitempty"`
}

type outboxStatusCmd struct{}

func (outboxStatusCmd) Run(ctx context.Context, c *cli) error {
	return ask(ctx, c, "/outbox", (*owed).print, func(o *owed) bool { return o.stuck() || o.paused() })
}

func (o *owed) print() {
	t := newWideTable("paused", "SET", "topic", "pending", "oldest", "stuck", "paused")
	for _, set := range o.Sets {
		for _, one := range set.Topics {
			t.AppendRow(table.Row{set.Set, one.Topic, one.Pending, age(one.OldestMs), one.Stuck, one.Paused})
		}
		t.AppendSeparator()
	}
	t.Render()
	if o.stuck() {
		fmt.Println("stuck: see", lookParked, "and", lookHeld)
	}
	if o.paused() {
		fmt.Println("paused until: hongbaoctl outbox resume")
	}
}

func (o *owed) stuck() bool {
	return o.any(func(t owedByTopic) bool { return t.Stuck > 0 })
}

func (o *owed) paused() bool {
	return o.any(func(t owedByTopic) bool { return t.Paused != "" })
}

func (o *owed) any(is func(owedByTopic) bool) bool {
	for _, set := range o.Sets {
		for _, t := range set.Topics {
			if is(t) {
				return true
			}
		}
	}
	return false
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
	Topic  topic  `help:"outbox, charge, book, event or transfer. Without it, all."`
	Reason reason `help:"Shown to whoever wonders."`
}

func (p outboxPauseCmd) Run(ctx context.Context, c *cli) error {
	query := p.Topic.query()
	if p.Reason != "" {
		query.Set("reason", string(p.Reason))
	}
	return p.Topic.steer(ctx, c, "pause", query, "paused in every SET until: hongbaoctl outbox resume")
}

type outboxResumeCmd struct {
	Topic topic `help:"outbox, charge, book, event or transfer. Without it, all."`
}

func (r outboxResumeCmd) Run(ctx context.Context, c *cli) error {
	return r.Topic.steer(ctx, c, "resume", r.Topic.query(), "going on in every SET")
}

func (t topic) query() url.Values {
	if t == "" {
		return url.Values{}
	}
	return url.Values{"topic": {string(t)}}
}

// steer pauses or resumes.
func (t topic) steer(ctx context.Context, c *cli, what string, query url.Values, done string) error {
	o, err := newOperator(c, "", "hongbaoctl outbox status")
	if err != nil {
		return err
	}
	if err := o.call(ctx, http.MethodPost, "/outbox/"+what, query, nil); err != nil {
		return err
	}
	topics := orderset.Topics()
	if t != "" {
		topics = []string{string(t)}
	}
	if c.JSON {
		return printJSON(map[string]any{"done": what, "topics": topics})
	}
	fmt.Printf("%s: %s\n", strings.Join(topics, ", "), done)
	return nil
}
