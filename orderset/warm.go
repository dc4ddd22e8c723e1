package orderset

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"

	"hongbao/envelope"
	"hongbao/orderset/layout"
	"hongbao/orderset/memory"
	"hongbao/orderset/owed"
	"hongbao/orderset/setdb"
)

// Known answers an opener from memory when no later commit can change the
// answer: a share held already, or an envelope that is finished.
func (s *Set) Known(id envelope.ID, user envelope.UserID) (envelope.Opening, bool) {
	r := s.memory.Load().Get(id)
	if r == nil {
		return envelope.Opening{}, false
	}
	return r.Certain(user)
}

// Peek answers a grab: from memory, else from memcached, else with one query
// for all concurrent callers.
func (s *Set) Peek(ctx context.Context, id envelope.ID, user envelope.UserID) (envelope.Snapshot, error) {
	known := s.memory.Load()
	if known == nil {
		return s.peekRow(ctx, id, user)
	}
	now := s.now()
	r := known.Get(id)
	if r == nil || !r.Fresh(now) {
		// The flight is shared: one caller's hanging up must
		// not fail the others.
		// Nor may a caller join one that has been under way for longer than a record
		// may be old, so each span of that length has a flight of its own.
		flight := s.loading.DoChan(fmt.Sprint(id, now.UnixNano()/int64(memory.GrabAgeMax)), func() (any, error) {
			return s.load(context.WithoutCancel(ctx), known, id)
		})
		select {
		case <-ctx.Done():
			return envelope.Snapshot{}, s.db.Answer("peek "+string(id), ctx.Err())
		case res := <-flight:
			if res.Err != nil {
				return envelope.Snapshot{}, res.Err
			}
			r = res.Val.(*memory.Record)
		}
	}
	return r.Snapshot(user, now), nil
}

// load reads one envelope whole and remembers it.
func (s *Set) load(ctx context.Context, known *memory.Memory, id envelope.ID) (*memory.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, setdb.TxMax)
	defer cancel()
	asked := s.now()
	if snap, ok := s.finished.Recall(id); ok {
		return known.Put(s.drawKey.Seed(id), snap, asked, s.now()), nil
	}
	snap, err := s.read(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.remember(known, snap, asked)
}

// remember keeps what the database was asked for at an instant and has just
// answered, and a finished envelope in memcached too.
func (s *Set) remember(known *memory.Memory, snap envelope.Snapshot, asked time.Time) (*memory.Record, error) {
	seed, err := s.seed(&snap.Envelope)
	if err != nil {
		return nil, err
	}
	if snap.Envelope.State.Finished() {
		s.finished.Keep(snap)
	}
	return known.Put(seed, snap, asked, s.now()), nil
}

// openWarm opens a batch without reading first. Each header is moved on from
// the version that memory has of it; the row lock is taken by that very update,
// and a version that is not the row's fails the whole transaction with
// setdb.ErrConflict: memory is dropped, and the caller runs the batch under locks.
// Envelopes that wait for their expiry are asked about under locks afterwards.
func (s *Set) openWarm(ctx context.Context, known *memory.Memory, b *batch) error {
	records, err := s.records(ctx, known, b)
	if err != nil {
		return err
	}
	plan := newPlan(b, records)
	if err := s.carryOut(ctx, known.Reign, b, plan, records); err != nil {
		for i := range b.groups {
			known.Forget(b.groups[i].id)
		}
		return err
	}
	s.openEnding(ctx, b, plan.ending)
	return nil
}

// carryOut commits what a plan writes, and moves memory on.
func (s *Set) carryOut(ctx context.Context, reign setdb.Reign, b *batch, plan *plan, records []*memory.Record) error {
	if plan.writes == 0 {
		return nil
	}
	began := s.now()
	err := s.db.Warm(ctx, reign, func(ctx context.Context, c *sql.Conn) error { return plan.write(ctx, c, b.touched) })
	if err != nil {
		return err
	}
	ended := s.now()
	for i, r := range records {
		if r != nil && plan.after[i].Ver != 0 {
			r.Apply(plan.after[i], plan.openings[i], began, ended)
			if plan.after[i].State == envelope.Empty {
				b.emptied++
			}
			s.keepFinished(r)
		}
	}
	return nil
}

// openEnding answers the openers of envelopes whose life is over and whose expiry
// is not committed: the row's lock waits for those who were in time, so what is
// refused under it stays refused. The rest of the batch is committed by then, so
// an error is these openers' alone.
func (s *Set) openEnding(ctx context.Context, b *batch, groups []group) {
	if len(groups) == 0 {
		return
	}
	ending := b.of(groups)
	err := s.openUnderLocks(ctx, ending)
	if err != nil {
		err = s.db.Answer(fmt.Sprintf("open %d at the end of life", len(groups)), err)
	}
	for i := range groups {
		for j, at := range groups[i].at {
			if b.openings[at] = ending.openings[ending.groups[i].at[j]]; err != nil {
				b.openings[at] = envelope.Opening{Err: err}
			}
		}
	}
	b.touched = append(b.touched, ending.touched...)
}

// keepFinished puts an envelope whose last share has just been committed into
// memcached, for the other order servers and for this one's next life.
func (s *Set) keepFinished(r *memory.Record) {
	if snap, finished := r.Whole(); finished {
		s.finished.Keep(snap)
	}
}

// records finds the record of every group and reads the cold ones, all of a
// table with two queries. A group whose envelope does not exist is refused and
// has none.
func (s *Set) records(ctx context.Context, known *memory.Memory, b *batch) ([]*memory.Record, error) {
	records := make([]*memory.Record, len(b.groups))
	at := 0
	err := b.tables(func(t layout.DayTable, groups []group) error {
		mine := records[at : at+len(groups)]
		at += len(groups)
		var cold []envelope.ID
		for i := range groups {
			if r := known.Get(groups[i].id); r != nil && r.Opens() {
				mine[i] = r
			} else {
				cold = append(cold, groups[i].id)
			}
		}
		if len(cold) == 0 {
			return nil
		}
		loaded, err := s.loadAll(ctx, known, t, cold)
		for i := range groups {
			if mine[i] == nil {
				mine[i] = loaded[groups[i].id]
			}
			if mine[i] == nil {
				b.refuse(&groups[i], envelope.ErrNotFound)
			}
		}
		return err
	})
	return records, err
}

// loadAll reads some envelopes of one table whole and remembers them. Headers
// are read first: shares of later openers than they know of are left out, so
// that each record is one that the envelope once had.
func (s *Set) loadAll(ctx context.Context, known *memory.Memory, t layout.DayTable, ids []envelope.ID) (map[envelope.ID]*memory.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, setdb.TxMax)
	defer cancel()
	asked := s.now()
	headers, now, err := layout.QueryHeaders(ctx, s.db, t.SelectHeaders(ids))
	if err != nil {
		return nil, err
	}
	shares, err := layout.QueryShares(ctx, s.db, t.SelectSharesOf(ids))
	if err != nil {
		return nil, err
	}
	loaded := make(map[envelope.ID]*memory.Record, len(headers))
	for _, e := range headers { // both in the order of the IDs
		snap := envelope.Snapshot{Envelope: e, Now: now}
		for ; len(shares) > 0 && shares[0].ID == e.ID; shares = shares[1:] {
			if shares[0].Share.Seq <= e.OpenedCount {
				snap.Shares = append(snap.Shares, shares[0].Share)
			}
		}
		if loaded[e.ID], err = s.remember(known, snap, asked); err != nil {
			return nil, err
		}
	}
	return loaded, nil
}

// plan is what a warm batch is going to write.
type plan struct {
	writes   int
	tables   []tablePlan
	after    []envelope.Envelope  // by group; Ver 0 where nothing changes
	openings [][]envelope.Opening // by group
	ending   []group              // of which memory can say nothing for certain
}

type tablePlan struct {
	table layout.DayTable
	next  []envelope.Envelope
	rows  []layout.ShareRow
}

func newPlan(b *batch, records []*memory.Record) *plan {
	p := &plan{after: make([]envelope.Envelope, len(b.groups)), openings: make([][]envelope.Opening, len(b.groups))}
	for i := range b.groups {
		g, r := &b.groups[i], records[i]
		if r == nil {
			continue
		}
		if r.Ends() {
			p.ending = append(p.ending, *g)
			continue
		}
		after, openings := r.Decide(g.users)
		b.answer(g, openings)
		if !opensAny(openings) {
			continue
		}
		p.writes++
		p.after[i], p.openings[i] = after, openings
		if n := len(p.tables); n == 0 || p.tables[n-1].table != g.table {
			p.tables = append(p.tables, tablePlan{table: g.table})
		}
		b.touched = append(b.touched, g.id)
		t := &p.tables[len(p.tables)-1]
		t.next = append(t.next, after)
		t.rows = appendNew(t.rows, g.id, openings)
	}
	return p
}

func opensAny(openings []envelope.Opening) bool {
	for i := range openings {
		if openings[i].Outcome == envelope.Opened {
			return true
		}
	}
	return false
}

// write sends every statement of the plan in one packet, the outbox row last.
// Each update must have moved all the headers it names; with one that did not,
// nothing is committed.
func (p *plan) write(ctx context.Context, c *sql.Conn, touched []envelope.ID) error {
	b := &layout.Text{}
	b.Grow(256*p.writes + 256)
	for i := range p.tables {
		t := &p.tables[i]
		updateOpened(t.table, b, t.next)
		b.Add(";")
		t.table.InsertShares(b, t.rows)
		b.Add(";")
	}
	owed.AppendEnqueue(b, touched)
	return c.Raw(func(conn any) error {
		res, err := conn.(driver.ExecerContext).ExecContext(ctx, b.String(), nil)
		if err != nil {
			return err
		}
		affected := res.(mysql.Result).AllRowsAffected()
		for i := range p.tables {
			if affected[2*i] != int64(len(p.tables[i].next)) {
				return setdb.ErrConflict
			}
		}
		return nil
	})
}
