package dispatch

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// agendaWaitMax is how long an empty agenda sleeps before it looks again.
const agendaWaitMax = 24 * time.Hour

// task is something to do, and when.
type task struct {
	due time.Time
	do  func(context.Context)
}

// Agenda does tasks when they are due, a bounded number at once. What waits is
// bounded by its callers.
type Agenda struct {
	workers int

	mu     sync.Mutex
	queue  dueFirst
	change chan struct{} // buffered 1: the queue has a new first
}

// NewAgenda does at most so many tasks at once.
func NewAgenda(workers int) *Agenda {
	return &Agenda{workers: workers, change: make(chan struct{}, 1)}
}

// At adds a task. It never blocks.
func (a *Agenda) At(due time.Time, do func(context.Context)) {
	a.mu.Lock()
	heap.Push(&a.queue, task{due, do})
	a.mu.Unlock()
	select {
	case a.change <- struct{}{}:
	default: // the scheduler has yet to look at an earlier change
	}
}

// pop takes what is due, or says how long until something is.
func (a *Agenda) pop() (do func(context.Context), wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue) == 0 {
		return nil, agendaWaitMax
	}
	if wait = time.Until(a.queue[0].due); wait > 0 {
		return nil, wait
	}
	return heap.Pop(&a.queue).(task).do, 0
}

// Run does tasks until ctx ends. Those under way then finish: they are given a
// context that does not end. What is not due yet is forgotten.
func (a *Agenda) Run(ctx context.Context) {
	work := make(chan func(context.Context))
	var workers sync.WaitGroup
	for range a.workers {
		workers.Go(func() {
			for do := range work {
				do(context.WithoutCancel(ctx))
			}
		})
	}
	defer workers.Wait()
	defer close(work)
	for {
		do, wait := a.pop()
		if do == nil && !a.sleep(ctx, wait) {
			return
		}
		if do == nil {
			continue
		}
		select {
		case work <- do:
		case <-ctx.Done():
			return
		}
	}
}

// sleep waits for a change of the queue or the time; false is the end of ctx.
func (a *Agenda) sleep(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-a.change:
	case <-ctx.Done():
		return false
	}
	return true
}

// dueFirst is a heap.
type dueFirst []task

func (q dueFirst) Len() int           { return len(q) }
func (q dueFirst) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q dueFirst) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *dueFirst) Push(x any)        { *q = append(*q, x.(task)) }
func (q *dueFirst) Pop() any {
	last := len(*q) - 1
	t := (*q)[last]
	(*q)[last] = task{}
	*q = (*q)[:last]
	return t
}
