package books

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/reconcile"
	"hongbao/schema"
)

// The rules of users' books.
const (
	ruleSums  = "sums"  // a year's sums are those of its rows
	ruleYear  = "year"  // a row stands in the year of its time
	ruleShard = "shard" // a user's rows stand in one shard
	ruleLuck  = "luck"  // an envelope has one best luck
	ruleRow   = "row"   // a row is what the orders say
)

// differences are what has been found so far.
type differences struct{ reconcile.Found }

func (d *differences) add(rule string, k rowKey, want, have string) {
	key := string(k.user)
	if k.id != "" {
		key += " " + string(k.id)
	}
	d.Add(reconcile.Difference{Rule: rule, Key: key, Want: want, Have: have})
}

// Auditor reads every row of all shards.
type Auditor struct{ shards []*sql.DB }

// NewAuditor connects to all shards, in their order, with DSNs that may only
// SELECT.
func NewAuditor(dsns []string) (*Auditor, error) {
	a := &Auditor{}
	for i, dsn := range dsns {
		cfg, err := mysql.ParseDSN(dsn)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("audit of the books: shard %d: %w", i, err), a.Close())
		}
		if err := a.add(cfg); err != nil {
			return nil, errors.Join(fmt.Errorf("audit of the books: shard %d: %w", i, err), a.Close())
		}
	}
	return a, nil
}

// OpenAuditor connects to all shards, in their order, as an account that may only
// SELECT.
func OpenAuditor(shards []Shard, account Account) (*Auditor, error) {
	a := &Auditor{}
	for i, shard := range shards {
		cfg := account.Config(shard.Addr, schema.BooksDatabaseName(i))
		if err := a.add(cfg); err != nil {
			return nil, errors.Join(fmt.Errorf("audit of the books: shard %d: %w", i, err), a.Close())
		}
	}
	return a, nil
}

// add connects to one more shard.
func (a *Auditor) add(cfg *mysql.Config) error {
	db, err := mariadb.OpenAudit(cfg)
	if err != nil {
		return err
	}
	a.shards = append(a.shards, db)
	return nil
}

// Ping reports whether all shards answer: an audit has no bound of its own.
func (a *Auditor) Ping(ctx context.Context) error {
	for i, db := range a.shards {
		if err := db.PingContext(ctx); err != nil {
			return fmt.Errorf("audit of the books: shard %d: %w", i, err)
		}
	}
	return nil
}

// Close closes its connections.
func (a *Auditor) Close() error {
	var err error
	for _, db := range a.shards {
		err = errors.Join(err, db.Close())
	}
	return err
}

// usersPage is how many users one step of an audit looks at.
const usersPage = 500

// lastUser sorts after every user: it is as long as names may be, and one more.
var lastUser = envelope.UserID(strings.Repeat("~", 65))

// Audit holds the books to themselves: a user's sums are those of the rows, rows
// stand in the shard and the year where readers look for them, and an envelope
// has one best luck at most. It may run while posts do: each user is read in one
// snapshot. One entry is kept in memory for each envelope with a best luck.
func (a *Auditor) Audit(ctx context.Context) ([]reconcile.Difference, error) {
	var found differences
	best := map[envelope.ID]envelope.UserID{}
	for i, db := range a.shards {
		for after := envelope.UserID(""); after != lastUser; {
			p := userPage{shard: i, of: len(a.shards), after: after, found: &found, best: best}
			if err := p.read(ctx, db); err != nil {
				return nil, fmt.Errorf("audit of the books: shard %d: %w", i, err)
			}
			p.judge()
			after = p.last
		}
	}
	return found.Found, nil
}

// userPage is the rows and sums of some users: those after one, up to another.
type userPage struct {
	shard, of   int
	after, last envelope.UserID
	rows, sums  map[yearKey]*envelope.BookSummary
	found       *differences
	best        map[envelope.ID]envelope.UserID // of all pages so far
}

// read takes it all from one snapshot.
func (p *userPage) read(ctx context.Context, db *sql.DB) error {
	p.rows, p.sums = map[yearKey]*envelope.BookSummary{}, map[yearKey]*envelope.BookSummary{}
	return mariadb.Snapshot(ctx, db, func(ctx context.Context, c *sql.Conn) error {
		users := 0
		err := mariadb.Each(ctx, c, func(r *sql.Rows) error {
			users++
			return r.Scan(&p.last)
		}, selectUserPage, p.after, usersPage)
		if users < usersPage {
			p.last = lastUser
		}
		return errors.Join(err,
			mariadb.Each(ctx, c, p.scanSums, selectSummaries, p.after, p.last),
			mariadb.Each(ctx, c, p.scanSent, selectSentSums, p.after, p.last),
			mariadb.Each(ctx, c, p.scanReceived, selectReceivedSums, p.after, p.last),
			mariadb.Each(ctx, c, p.scanBest, selectBestLuck, p.after, p.last))
	})
}

func (p *userPage) scanSums(r *sql.Rows) error {
	var y yearKey
	var sum envelope.BookSummary
	err := scanSums(r, &y, &sum)
	p.sums[y] = &sum
	return err
}

// counted is the sum of the rows of a year, which starts at nothing.
func (p *userPage) counted(y yearKey) *envelope.BookSummary {
	if p.rows[y] == nil {
		p.rows[y] = &envelope.BookSummary{}
	}
	return p.rows[y]
}

func (p *userPage) scanSent(r *sql.Rows) error {
	var y yearKey
	var sum envelope.BookSummary
	var astray int
	err := r.Scan(&y.user, &y.year, &sum.SentCount, &sum.SentTotal, &sum.RefundedTotal, &astray)
	add(p.counted(y), &sum)
	p.astray(y, "sent", astray)
	return err
}

func (p *userPage) scanReceived(r *sql.Rows) error {
	var y yearKey
	var sum envelope.BookSummary
	var astray int
	err := r.Scan(&y.user, &y.year, &sum.ReceivedCount, &sum.ReceivedTotal, &sum.BestLuckCount, &astray)
	add(p.counted(y), &sum)
	p.astray(y, "received", astray)
	return err
}

func (p *userPage) astray(y yearKey, table string, rows int) {
	if rows > 0 {
		p.found.add(ruleYear, rowKey{user: y.user}, fmt.Sprintf("only rows of %d", y.year), fmt.Sprintf("%d rows of %s that stand in %d and are of another year", rows, table, y.year))
	}
}

func (p *userPage) scanBest(r *sql.Rows) error {
	var user envelope.UserID
	var id envelope.ID
	err := r.Scan(&user, &id)
	if other, twice := p.best[id]; twice {
		p.found.add(ruleLuck, rowKey{user, id}, "best luck of one user", fmt.Sprintf("best luck, which %s has already", other))
	}
	p.best[id] = user
	return err
}

// judge compares the sums with the rows, in either direction.
func (p *userPage) judge() {
	for y, sum := range p.sums {
		if counted := p.counted(y); *counted != *sum {
			p.found.add(ruleSums, rowKey{user: y.user}, fmt.Sprintf("the sums of %d as the rows add up to: %+v", y.year, *counted), fmt.Sprintf("%+v", *sum))
		}
	}
	for y, counted := range p.rows {
		if p.sums[y] == nil {
			p.found.add(ruleSums, rowKey{user: y.user}, fmt.Sprintf("the sums of %d as the rows add up to: %+v", y.year, *counted), fmt.Sprintf("no sums of %d", y.year))
		}
		if home := shardOf(y.user, p.of); home != p.shard {
			p.found.add(ruleShard, rowKey{user: y.user}, fmt.Sprintf("rows in shard %d", home), fmt.Sprintf("rows in shard %d", p.shard))
		}
	}
}
