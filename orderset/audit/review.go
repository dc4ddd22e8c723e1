package audit

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/layout"
	"hongbao/reconcile"
)

// Bounds of an audit's memory and of its reads: short ones hold nothing up and
// stay within the server's statement time.
const (
	auditPage    = 2000   // envelopes
	auditRowsMax = 20_000 // shares by their headers; one envelope more than that is read
	suspectsMax  = 10_000 // envelopes to be looked at again
	pendingPage  = 500    // rows of the outbox
)

// page is all rows of some envelopes of one table, each in the order of its key.
type page struct {
	table     layout.DayTable
	envelopes []envelope.Envelope
	shares    []layout.ShareRow
	transfers []envelope.Transfer
	payments  []taken
	decisions map[layout.TransferKey][]decision // about transfers whose round is not the first
	now       time.Time                         // the database's clock
}

// decision is what people, or a payee, have decided about a transfer.
type decision struct {
	key    layout.TransferKey
	round  int
	begins bool            // the next round; else it settles or dismisses
	payee  envelope.UserID // "" when it stays
}

// taken is a payment as the SET's list of them has it.
type taken struct {
	id          envelope.ID
	transaction string
}

// review is an audit under way. The first look reads a page's rows one table
// after the other, while others write; whatever looks wrong is a suspect and is
// judged by a second look.
type review struct {
	auditor  *Auditor
	books    *Books
	suspects map[layout.DayTable][]envelope.ID
	count    int // of suspects
}

// table walks headers, shares and transfers side by side.
func (r *review) table(ctx context.Context, t layout.DayTable) error {
	for after := envelope.ID(""); ; {
		p, err := r.page(ctx, t, after)
		if err != nil {
			return err
		}
		r.books.count(p.page)
		for _, v := range r.auditor.audit(p.page, nil) {
			if err := r.suspect(ctx, t, envelope.ID(v.Key)); err != nil {
				return err
			}
		}
		if p.last == layout.LastPossibleID {
			return nil
		}
		after = p.last
	}
}

// walked is a page of a walk, and up to which ID it reaches.
type walked struct {
	*page
	last envelope.ID
}

func (r *review) page(ctx context.Context, t layout.DayTable, after envelope.ID) (walked, error) {
	p := walked{page: &page{table: t}, last: layout.LastPossibleID}
	var err error
	if p.envelopes, p.now, err = layout.QueryHeaders(ctx, r.auditor.db, selectHeaderPage(t), after, auditPage); err != nil {
		return p, err
	}
	if n := fitting(p.envelopes); n < len(p.envelopes) || n == auditPage {
		p.envelopes = p.envelopes[:n]
		p.last = p.envelopes[n-1].ID
	}
	if p.shares, err = layout.QueryShares(ctx, r.auditor.db, selectSharePage(t), after, p.last); err != nil || len(p.envelopes) == 0 {
		return p, err
	}
	return p, p.owed(ctx, r.auditor.db, idsOf(p.envelopes))
}

// owed reads what the SET's own tables have of some envelopes.
func (p *page) owed(ctx context.Context, q mariadb.Queryer, ids []envelope.ID) (err error) {
	if p.transfers, err = layout.QueryTransfers(ctx, q, selectTransfersOf(ids)); err != nil {
		return err
	}
	if err = p.decided(ctx, q); err != nil {
		return err
	}
	return mariadb.Each(ctx, q, func(rows *sql.Rows) error {
		var paid taken
		err := rows.Scan(&paid.id, &paid.transaction)
		p.payments = append(p.payments, paid)
		return err
	}, selectPaymentsOf(ids))
}

// decided reads what was decided about the transfers whose round is not the first. A
// decision is committed with what it does, so none is missing that a row shows.
func (p *page) decided(ctx context.Context, q mariadb.Queryer) error {
	var keys []layout.TransferKey
	for i := range p.transfers {
		if p.transfers[i].Round > 1 {
			keys = append(keys, layout.KeyOf(&p.transfers[i]))
		}
	}
	p.decisions = map[layout.TransferKey][]decision{}
	for chunk := range slices.Chunk(keys, pendingPage) {
		b := &layout.Text{}
		b.Add("SELECT order_id, seq, round, action NOT IN ('settle', 'dismiss'), COALESCE(payee_id, '') FROM decision WHERE state = 'approved' AND (")
		layout.AddKeys(b, chunk)
		b.Add(") ORDER BY id")
		err := mariadb.Each(ctx, q, func(rows *sql.Rows) error {
			var d decision
			err := rows.Scan(&d.key.ID, &d.key.Seq, &d.round, &d.begins, &d.payee)
			p.decisions[d.key] = append(p.decisions[d.key], d)
			return err
		}, b.String())
		if err != nil {
			return err
		}
	}
	return nil
}

// fitting is how many of the envelopes have shares enough for one page.
func fitting(es []envelope.Envelope) int {
	for i, rows := 0, 0; i < len(es); i++ {
		if rows += max(0, es[i].OpenedCount); rows > auditRowsMax && i > 0 {
			return i
		}
	}
	return len(es)
}

func idsOf(es []envelope.Envelope) []envelope.ID {
	ids := make([]envelope.ID, len(es))
	for i := range es {
		ids[i] = es[i].ID
	}
	return ids
}

// stray is a kind of row that belongs to an envelope and stands apart from it.
type stray struct {
	what, invariant string
	list            string // selects the order IDs after one, in their order
}

// strayKinds are those that no walk of the day tables comes past.
func strayKinds() []stray {
	return []stray{
		{"a transfer", "C3", "SELECT DISTINCT order_id FROM transfer WHERE order_id > ? ORDER BY order_id LIMIT ?"},
		{"a payment", "I7", "SELECT order_id FROM payment WHERE order_id > ? ORDER BY order_id LIMIT ?"},
	}
}

// strays looks for rows of a kind whose envelope is not there.
func (r *review) strays(ctx context.Context, kind stray) error {
	for after := envelope.ID(""); ; {
		var sound []envelope.ID
		ids, err := mariadb.Column[envelope.ID](ctx, r.auditor.db, kind.list, after, auditPage)
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, id := range ids {
			if _, err := envelope.ParseID(string(id)); err != nil {
				r.report([]reconcile.Difference{violation(kind.invariant, id, "%s of what cannot be an envelope", kind.what)})
			} else {
				sound = append(sound, id)
			}
		}
		for t, ids := range layout.ByTable(sound) {
			if err := r.missing(ctx, t, ids, kind); err != nil {
				return err
			}
		}
		after = ids[len(ids)-1]
	}
}

// missing makes suspects of the IDs that a table does not have.
func (r *review) missing(ctx context.Context, t layout.DayTable, ids []envelope.ID, kind stray) error {
	states, err := layout.QueryStates(ctx, r.auditor.db, t.SelectStates(ids, false))
	if mariadb.NoSuchTable(err) {
		for _, id := range ids {
			r.report([]reconcile.Difference{violation(kind.invariant, id, "%s of a day that has no tables", kind.what)})
		}
		return nil
	}
	there := make(map[envelope.ID]bool, len(states))
	for _, s := range states {
		there[s.ID] = true
	}
	for _, id := range ids {
		if err == nil && !there[id] {
			err = r.suspect(ctx, t, id)
		}
	}
	return err
}

// suspect remembers an envelope for the second look.
func (r *review) suspect(ctx context.Context, t layout.DayTable, id envelope.ID) error {
	if mine := r.suspects[t]; len(mine) > 0 && mine[len(mine)-1] == id || len(r.books.Violations) >= reconcile.DifferencesMax {
		return nil
	}
	r.suspects[t] = append(r.suspects[t], id)
	if r.count++; r.count < suspectsMax {
		return nil
	}
	return r.judge(ctx)
}

func (r *review) report(found []reconcile.Difference) {
	room := reconcile.DifferencesMax - len(r.books.Violations)
	r.books.Violations = append(r.books.Violations, found[:min(len(found), room)]...)
}

// judge looks at the suspects again, all from one snapshot: what is wrong there
// has been wrong at one moment.
func (r *review) judge(ctx context.Context) error {
	if r.count == 0 {
		return nil
	}
	err := r.auditor.db.Snapshot(ctx, r.look)
	r.suspects, r.count = map[layout.DayTable][]envelope.ID{}, 0
	return err
}

func (r *review) look(ctx context.Context, c *sql.Conn) error {
	unspread, err := r.unspread(ctx, c)
	if err != nil {
		return err
	}
	for _, t := range layout.SortedTables(r.suspects) {
		ids := r.suspects[t]
		slices.Sort(ids)
		for ids = slices.Compact(ids); len(ids) > 0; {
			p := &page{table: t}
			if p.envelopes, p.now, err = layout.QueryHeaders(ctx, c, t.SelectHeaders(ids[:min(len(ids), auditPage)])); err != nil {
				return err
			}
			part := ids[:min(len(ids), auditPage)]
			if n := fitting(p.envelopes); n < len(p.envelopes) {
				p.envelopes = p.envelopes[:n]
				at, _ := slices.BinarySearch(part, p.envelopes[n-1].ID)
				part = part[:at+1]
			}
			if p.shares, err = layout.QueryShares(ctx, c, t.SelectSharesOf(part)); err != nil {
				return err
			}
			if err := p.owed(ctx, c, part); err != nil {
				return err
			}
			r.report(r.auditor.audit(p, unspread))
			ids = ids[len(part):]
		}
	}
	return nil
}

const selectPendingPage = "SELECT id, touched FROM outbox WHERE state = 'pending' AND id > ? ORDER BY id LIMIT ?"

// unspread are the suspects that stand in the outbox: their transfers are yet to
// be made.
func (r *review) unspread(ctx context.Context, c *sql.Conn) (map[envelope.ID]bool, error) {
	suspects := make(map[envelope.ID]bool, r.count)
	for _, ids := range r.suspects {
		for _, id := range ids {
			suspects[id] = true
		}
	}
	found := map[envelope.ID]bool{}
	for after, rows := int64(0), pendingPage; rows == pendingPage; {
		rows = 0
		err := mariadb.Each(ctx, c, func(row *sql.Rows) error {
			var names string
			if err := row.Scan(&after, &names); err != nil {
				return err
			}
			rows++
			ids, err := layout.AppendIDs(nil, names)
			for _, id := range ids {
				if suspects[id] {
					found[id] = true
				}
			}
			return err
		}, selectPendingPage, after, pendingPage)
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}
