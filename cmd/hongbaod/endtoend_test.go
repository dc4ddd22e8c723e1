package main_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
)

// answerMax bounds how long an opener keeps asking through a restart.
const answerMax = 60 * time.Second

// said is what one user was told about one envelope.
type said struct {
	outcome string
	amount  int64
	seq     int64
}

// crowd opens envelopes and remembers every answer.
type crowd struct {
	p  *settest.Live
	mu sync.Mutex
	by map[string]map[string][]said // envelope → user → answers
}

func newCrowd(p *settest.Live) *crowd { return &crowd{p: p, by: map[string]map[string][]said{}} }

// open asks until there is an answer: busy, unknown and a dead server mean ask
// again with the same request.
func (c *crowd) open(ctx context.Context, id, ticket, user string) error {
	for {
		a, err := c.p.Call(ctx, http.MethodPost, "/v1/envelopes/"+id+"/open", user, "", "Envelope-Ticket", ticket)
		switch {
		case err == nil && a.Status == http.StatusOK:
			c.note(id, user, said{a.String("outcome"), a.Int("amount_fen"), a.Int("seq")})
			return nil
		case err == nil && a.Status != http.StatusTooManyRequests && a.Status != http.StatusServiceUnavailable && a.Status != http.StatusGatewayTimeout:
			return fmt.Errorf("open as %s: %d %s", user, a.Status, a.Body)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (c *crowd) note(id, user string, s said) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by[id] == nil {
		c.by[id] = map[string][]said{}
	}
	c.by[id][user] = append(c.by[id][user], s)
}

// check holds what people were told to what the envelope shows: nothing that
// was acknowledged is missing, nothing is double, every amount is the draw's.
func (c *crowd) check(t *testing.T, sender, id string) {
	t.Helper()
	shown := show(t, c.p, sender, id)
	holders := map[string]said{}
	for _, s := range shown.Shares {
		if _, twice := holders[s.UserID]; twice {
			t.Errorf("%s: %s holds two shares", id, s.UserID)
		}
		holders[s.UserID] = said{amount: s.AmountFen, seq: s.Seq}
	}
	for user, answers := range c.by[id] {
		holds, has := holders[user]
		for _, a := range answers {
			switch a.outcome {
			case "opened", "already_opened":
				if !has || a.amount != holds.amount || a.seq != holds.seq {
					t.Errorf("%s: %s was told share %d of %d fen and holds %+v", id, user, a.seq, a.amount, holds)
				}
			case "empty":
				if has {
					t.Errorf("%s: %s was told it is empty and holds share %d", id, user, holds.seq)
				}
			default:
				t.Errorf("%s: %s was told %q", id, user, a.outcome)
			}
		}
	}
	verify(t, shown)
}

func verify(t *testing.T, s shown) {
	t.Helper()
	seed, err := envelope.ParseSeed(s.Seed)
	if err != nil {
		t.Errorf("%s: %v", s.ID, err)
		return
	}
	e := envelope.Envelope{Kind: envelope.Kind(s.Kind), Total: envelope.Fen(s.TotalFen), Count: s.Count, ShareMin: envelope.Fen(s.ShareMin), ShareMax: 20000, Commitment: seed.Commitment(),
		State: envelope.State(s.State), Opened: envelope.Fen(s.OpenedFen), OpenedCount: s.Opened}
	if e.Commitment.Hex() != s.Commitment {
		t.Errorf("%s: the seed is not the one committed to", s.ID)
	}
	var shares []envelope.Share
	for _, one := range s.Shares {
		shares = append(shares, envelope.Share{Seq: int(one.Seq), User: envelope.UserID(one.UserID), Amount: envelope.Fen(one.AmountFen)})
	}
	if err := envelope.Verify(&e, seed, shares); err != nil {
		t.Errorf("%s: %v", s.ID, err)
	}
}

func TestRaceForSharesInTwoSets(t *testing.T) {
	p := settest.Playground(t)
	const users, count = 200, 100
	c := newCrowd(p)
	ids := inEachSet(t, p, `{"kind":"lucky","total_fen":88888,"count":100,"group_id":"g"}`)
	ctx, cancel := context.WithTimeout(t.Context(), answerMax)
	defer cancel()
	var racing sync.WaitGroup
	for id, ticket := range ids {
		for u := range users {
			for range 2 {
				racing.Go(func() {
					if err := c.open(ctx, id, ticket, fmt.Sprintf("user-%d", u)); err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
	racing.Wait()
	for id := range ids {
		c.check(t, "sender", id)
		if n := len(show(t, p, "sender", id).Shares); n != count {
			t.Errorf("%s: %d shares were taken, want %d", id, n, count)
		}
	}
	for _, books := range p.CheckBooks(t) {
		if books.Shares != count {
			t.Errorf("SET %s: %d shares in the books, want %d", books.Set, books.Shares, count)
		}
	}
}

// inEachSet sends and pays until every SET has one envelope.
func inEachSet(t *testing.T, p *settest.Live, order string) map[string]string {
	t.Helper()
	const sendsMax = 64 // a SET left out by 64 sends has a chance of 2⁻⁶⁴
	tickets, sets := map[string]string{}, map[string]bool{}
	for range sendsMax {
		id, ticket := p.Paid(t, "sender", order)
		if set := id[19:22]; !sets[set] {
			sets[set], tickets[id] = true, ticket
		}
		if len(sets) == len(p.Audit) {
			return tickets
		}
	}
	t.Fatalf("%d sends reached %d of %d SETs", sendsMax, len(sets), len(p.Audit))
	return nil
}

func TestKillKeepsAcknowledgedOpens(t *testing.T) {
	p := settest.Playground(t)
	const envelopes, users, kills = 12, 60, 3
	c := newCrowd(p)
	tickets := map[string]string{}
	for range envelopes {
		id, ticket := p.Paid(t, "sender", `{"kind":"lucky","total_fen":20000,"count":40,"group_id":"g"}`)
		tickets[id] = ticket
	}
	ctx, cancel := context.WithTimeout(t.Context(), answerMax)
	defer cancel()
	var racing sync.WaitGroup
	opened := make(chan struct{}, envelopes*users*2)
	for id, ticket := range tickets {
		for u := range users {
			racing.Go(func() {
				for range 2 {
					if err := c.open(ctx, id, ticket, fmt.Sprintf("user-%d", u)); err != nil {
						t.Error(err)
						return
					}
					opened <- struct{}{}
				}
			})
		}
	}
	for range kills {
		for range envelopes * users / 4 { // let some answers arrive first
			<-opened
		}
		killed := p.PID("hongbaod")
		if err := syscall.Kill(killed, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		await(t, "hongbaod is back", func() bool { return p.Ready() == nil && p.PID("hongbaod") != killed })
	}
	racing.Wait()
	for id := range tickets {
		c.check(t, "sender", id)
	}
}

func TestASecondStartResumesWithItsData(t *testing.T) {
	p := settest.Playground(t)
	id, ticket := p.Paid(t, "sender", `{"kind":"equal","share_fen":50,"count":2,"group_id":"g"}`)
	c := newCrowd(p)
	if err := c.open(t.Context(), id, ticket, "early"); err != nil {
		t.Fatal(err)
	}
	p.Down(t)
	p.Up(t)
	for _, user := range []string{"early", "late"} {
		if err := c.open(t.Context(), id, ticket, user); err != nil {
			t.Fatal(err)
		}
	}
	c.check(t, "sender", id)
}

func TestStopAnswersEverythingAdmitted(t *testing.T) {
	p := settest.Playground(t)
	const users = 300
	id, ticket := p.Paid(t, "sender", `{"kind":"lucky","total_fen":20000,"count":100,"group_id":"g"}`)
	c := newCrowd(p)
	ctx, cancel := context.WithTimeout(t.Context(), answerMax)
	defer cancel()
	var racing sync.WaitGroup
	for u := range users {
		racing.Go(func() {
			if err := c.open(ctx, id, ticket, fmt.Sprintf("user-%d", u)); err != nil {
				t.Error(err)
			}
		})
	}
	if err := syscall.Kill(p.PID("hongbaod"), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	racing.Wait()
	c.check(t, "sender", id)
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(answerMax); !holds(); <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, answerMax)
		}
	}
}
