package orderset

import (
	"cmp"
	"slices"

	"hongbao/envelope"
	"hongbao/orderset/layout"
)

// batch is some open requests sorted for one transaction: by table, then by
// envelope in the order of their IDs (the order in which rows are locked), and
// within an envelope in the order in which the requests came (I4).
type batch struct {
	reqs     []envelope.OpenRequest
	openings []envelope.Opening // as reqs
	groups   []group
	touched  []envelope.ID // whose rows the transaction moves
	emptied  int           // of them, whose last share it takes
}

// group is the requests for one envelope.
type group struct {
	table layout.DayTable
	id    envelope.ID
	users []envelope.UserID
	at    []int // positions in reqs
}

func newBatch(reqs []envelope.OpenRequest) *batch {
	b := &batch{reqs: reqs, openings: make([]envelope.Opening, len(reqs))}
	index := make(map[envelope.ID]int, len(reqs))
	for i, r := range reqs {
		g, known := index[r.ID]
		if !known {
			g = len(b.groups)
			index[r.ID] = g
			b.groups = append(b.groups, group{table: layout.TableOf(r.ID), id: r.ID})
		}
		b.groups[g].users = append(b.groups[g].users, r.User)
		b.groups[g].at = append(b.groups[g].at, i)
	}
	slices.SortFunc(b.groups, func(a, c group) int {
		return cmp.Or(cmp.Compare(a.table.Digit, c.table.Digit), cmp.Compare(a.table.Day, c.table.Day), cmp.Compare(a.id, c.id))
	})
	return b
}

// of is a batch of some of the groups' requests, in the same order.
func (b *batch) of(groups []group) *batch {
	var reqs []envelope.OpenRequest
	for i := range groups {
		for _, at := range groups[i].at {
			reqs = append(reqs, b.reqs[at])
		}
	}
	return newBatch(reqs)
}

// tables cuts the groups into runs of the same table.
func (b *batch) tables(do func(t layout.DayTable, groups []group) error) error {
	for rest := b.groups; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].table == rest[0].table {
			n++
		}
		if err := do(rest[0].table, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// answer spreads a group's openings over the positions they were asked at.
func (b *batch) answer(g *group, openings []envelope.Opening) {
	for i, at := range g.at {
		b.openings[at] = openings[i]
	}
}

// refuse answers all openers of a group alike.
func (b *batch) refuse(g *group, err error) {
	for _, at := range g.at {
		b.openings[at] = envelope.Opening{Err: err}
	}
}
