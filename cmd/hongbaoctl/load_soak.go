package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"hongbao/cmd/internal/command"
	"hongbao/envelope"
	"hongbao/loadtest"
)

type loadSoakCmd struct {
	Duration time.Duration `help:"How long people send; then everything owed is waited for." default:"10m"`
	Rate     float64       `help:"Envelopes a second; each is opened two or three times." default:"5"`
	Lies     float64       `help:"Rate of each lie that the provider tells, 0 to 0.1." default:"0.05"`
	Bugs     bool          `help:"The provider also moves money twice and takes successes back; all of that must be found. It leaves books that differ for ever: for a playground that will be thrown away."`
	Seed     uint64        `help:"Of plan, arrivals and lies." default:"20260216"`
}

// Run soaks the playground's own hongbaod: its callbacks, its limits.
func (l loadSoakCmd) Run(ctx context.Context, c *cli) error {
	g, err := findGround(c.Config)
	if err != nil {
		return err
	}
	server, err := g.ownServer(ctx)
	if err != nil {
		return err
	}
	limits := g.settings.Bounds()
	r, err := loadtest.Soak(ctx, loadtest.SoakConfig{
		Seed: l.Seed, Key: loadKey(), Rate: l.Rate, For: l.Duration, Lies: l.Lies, Bugs: l.Bugs,
		Of: loadtest.Lifetimes{PayWithin: limits.PayWithin, Life: limits.Life}, Least: limits.ShareMin,
		Server: server, Users: g.users, Liar: liar{g.report.PaymentSimulator}, Owed: g.owed, Reckon: g.reckon, Progress: loadProgress(c.JSON),
	})
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(r)
	} else {
		printSoak(r)
	}
	if err == nil && !r.Passed {
		err = command.ErrFinding
	}
	return err
}

// ownServer is the playground's own hongbaod.
func (g *ground) ownServer(ctx context.Context) (*loadtest.Server, error) {
	i := slices.IndexFunc(g.report.Processes, func(p processInfo) bool { return p.Name == "hongbaod" })
	if i < 0 {
		return nil, errors.New("load: the playground has no hongbaod")
	}
	return g.server(ctx, g.report.API, g.report.Operator, g.report.Processes[i].PID)
}

// liar is the playground's simulator, by its tool.
type liar struct{ base string }

func (l liar) call(ctx context.Context, method string, in, out any) error {
	if err := (&client{}).call(ctx, method, l.base+"/simulator/lies", in, out, "", ""); err != nil {
		return fmt.Errorf("lies of the simulator: %w", err)
	}
	return nil
}

func (l liar) Lie(ctx context.Context, about loadtest.Lies) error {
	return l.call(ctx, http.MethodPut, about, nil)
}

func (l liar) Told(ctx context.Context) (map[string]int64, error) {
	var status struct {
		Told map[string]int64 `json:"told"`
	}
	err := l.call(ctx, http.MethodGet, nil, &status)
	return status.Told, err
}

func (l liar) Honest(ctx context.Context) error { return l.call(ctx, http.MethodDelete, nil, nil) }

func printSoak(r *loadtest.SoakRun) {
	printAudit(r.Verdict, r.Reckoning.Books)
	k := r.Reckoning
	t := newTable("what", "count", "fen")
	row := func(what string, count, fen any) { t.AppendRow([]any{what, count, fen}) }
	row("envelopes sent", r.Fates.Sent, "")
	row("  never paid", r.Fates.Unpaid, "")
	row("  paid at the last moment", r.Fates.Late, "")
	row("shares opened", r.Answers.Opened, "")
	t.AppendSeparator()
	for _, state := range slices.Sorted(maps.Keys(k.States)) {
		row("envelopes "+string(state), k.States[state], "")
	}
	row("payouts posted", k.Payouts.Count, int64(k.Payouts.Fen))
	row("refunds posted", k.Refunds.Count, int64(k.Refunds.Fen))
	row("facts told to the IM backend", k.Told.Active+k.Told.Shares+k.Told.Finished+k.Told.Refunded, "")
	t.AppendSeparator()
	for _, reason := range loadtest.Reasons(r.Held) {
		row("held in this soak: "+reason, r.Held[reason].Count, int64(r.Held[reason].Fen))
	}
	for _, lie := range slices.Sorted(maps.Keys(r.Explained)) {
		row("disputes about "+lie, r.Explained[lie], "")
	}
	if r.Bugs {
		row("numbers that moved twice, found", len(r.MovedTwice), "")
	}
	t.Render()
	printLies(r.Told)
	for _, note := range r.Notes {
		fmt.Println("note:", note)
	}
	for _, one := range r.Findings {
		fmt.Fprintln(os.Stderr, "  ", one)
	}
	fmt.Printf("%s; %d CPUs, %.0f s, plan %s from seed %d; nothing was owed %.0f s after the last request\n",
		r.Durability, r.Machine.CPUs, r.Seconds, r.Digest, r.Seed, r.DrainedIn)
	if r.Passed {
		fmt.Println("provider, orders, users' books and events agree; everything else is explained by the lies that were told")
	} else {
		fmt.Fprintf(os.Stderr, "%d differences that no lie explains\n", len(r.Findings))
	}
}

func printLies(told map[string]int64) {
	if len(told) == 0 {
		fmt.Println("no lie was told")
		return
	}
	var words []string
	for _, lie := range slices.Sorted(maps.Keys(told)) {
		words = append(words, fmt.Sprintf("%s %d", lie, told[lie]))
	}
	fmt.Println("lies told:", strings.Join(words, ", "))
}

// owed counts what is on its way, and charges too if they will end soon.
func (g *ground) owed(ctx context.Context, charges bool) (total int, err error) {
	sets, err := g.outbox(ctx)
	for _, set := range sets {
		for _, topic := range set.Topics {
			if topic.Paused == "" && (charges || topic.Topic != string(envelope.TopicCharge)) {
				total += topic.Pending
			}
		}
	}
	return total, err
}
