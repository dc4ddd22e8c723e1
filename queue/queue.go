package queue

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Item is one request on its way to Serve.
type Item[K comparable, Req any] struct {
	Key K
	Req Req
}

// Answer is what Serve says to one Item.
type Answer[Res any] struct {
	Res Res
	Err error
}

// States of a cell. The one that moves it out of pending decides what the caller
// hears, so an answer and a departure can never both happen.
const (
	pending  = iota // queued or being served, the caller waits
	answered        // an answer is, or is about to be, in the cell
	left            // the caller is gone; the worker drops the answer
)

// cell is one request while it is in a lane. It belongs to its caller, except
// that a caller that leaves while being served leaves the cell to the worker.
type cell[K comparable, Req, Res any] struct {
	item     Item[K, Req]
	ctx      context.Context
	admitted time.Duration // since the lane's epoch

	state  atomic.Int32
	answer Answer[Res]   // written by the one that moved state to answered, before done
	done   chan struct{} // one buffered signal per answered cell: answering never blocks

	// Guarded by Lane.mu.
	line   *line[K, Req, Res] // nil unless queued
	inLine node[cell[K, Req, Res]]
	inAge  node[cell[K, Req, Res]]
}

// line is the FIFO of one key. It exists only while it has cells.
type line[K comparable, Req, Res any] struct {
	key     K
	cells   list[cell[K, Req, Res]]
	n       int
	inReady node[line[K, Req, Res]]
}

// queues are the lines of one lane and the three orders kept over them:
// admission order per key, round-robin over keys, and age over all.
// The lane's mutex guards all of it.
type queues[K comparable, Req, Res any] struct {
	lines map[K]*line[K, Req, Res]
	ready list[line[K, Req, Res]] // whose turn is next
	byAge list[cell[K, Req, Res]] // admission order of the whole lane
	n     int

	spare  sync.Pool    // of *line
	oldest atomic.Int64 // admission of byAge's front, -1 if empty: read without the mutex
}

func (q *queues[K, Req, Res]) init() {
	q.lines = make(map[K]*line[K, Req, Res])
	q.spare.New = func() any {
		l := new(line[K, Req, Res])
		l.inReady.owner = l
		return l
	}
	q.oldest.Store(-1)
}

// push queues c unless its key has queueMax cells already.
func (q *queues[K, Req, Res]) push(c *cell[K, Req, Res], queueMax int) bool {
	l := q.lines[c.item.Key]
	switch {
	case l == nil:
		l = q.spare.Get().(*line[K, Req, Res])
		l.key = c.item.Key
		q.lines[l.key] = l
		q.ready.pushBack(&l.inReady)
	case l.n >= queueMax:
		return false
	}
	l.cells.pushBack(&c.inLine)
	l.n++
	c.line = l
	q.byAge.pushBack(&c.inAge)
	q.n++
	if q.n == 1 {
		q.oldest.Store(int64(c.admitted))
	}
	return true
}

// remove takes out c, which must be queued. The caller calls noteOldest after
// the last of a series.
func (q *queues[K, Req, Res]) remove(c *cell[K, Req, Res]) {
	l := c.line
	c.line = nil
	l.cells.remove(&c.inLine)
	q.byAge.remove(&c.inAge)
	q.n--
	if l.n--; l.n == 0 {
		q.drop(l)
	}
}

// drop forgets a line without cells: an idle key costs nothing (FA13).
func (q *queues[K, Req, Res]) drop(l *line[K, Req, Res]) {
	q.ready.remove(&l.inReady)
	delete(q.lines, l.key)
	var zero K
	l.key = zero
	q.spare.Put(l)
}

// take moves up to batchMax cells to batch: the ready keys in turn, at most
// perKeyTurn cells a turn. A key with more goes to the end of the round, so
// within a batch and across batches its cells keep admission order (F1).
func (q *queues[K, Req, Res]) take(batch []*cell[K, Req, Res], batchMax, perKeyTurn int) []*cell[K, Req, Res] {
	for q.n > 0 && len(batch) < batchMax {
		l := q.ready.front()
		n := min(l.n, perKeyTurn, batchMax-len(batch))
		if l.n > n {
			q.ready.remove(&l.inReady)
			q.ready.pushBack(&l.inReady)
		}
		for range n {
			c := l.cells.front()
			q.remove(c)
			batch = append(batch, c)
		}
	}
	q.noteOldest()
	return batch
}

// noteOldest publishes the age of the queue to readers without the mutex.
func (q *queues[K, Req, Res]) noteOldest() {
	if c := q.byAge.front(); c != nil {
		q.oldest.Store(int64(c.admitted))
	} else {
		q.oldest.Store(-1)
	}
}
