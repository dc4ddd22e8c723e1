package lies

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// Liar decides when to lie. It keeps nothing on disk: a new life is honest.
type Liar struct {
	mu   sync.Mutex
	doc  Document
	left []int // times of each rule
	dice *rand.Rand
	told map[Lie]int64
}

// New is honest until something is set.
func New() *Liar {
	l := &Liar{}
	l.Reset()
	return l
}

// Set replaces what is to be told. The counts go on.
func (l *Liar) Set(doc Document) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doc, l.left = doc, make([]int, len(doc.Rules))
	for i, r := range doc.Rules {
		l.left[i] = r.Times
	}
	l.dice = rand.New(rand.NewPCG(doc.Seed, 0))
}

// Reset is honest again, and forgets what it told.
func (l *Liar) Reset() {
	l.Set(Document{})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = map[Lie]int64{}
}

// Status is what GET /simulator/lies answers.
type Status struct {
	Settings Document      `json:"settings"`
	Left     []int         `json:"rules_left"` // times of each rule
	Told     map[Lie]int64 `json:"told"`
}

// Status is what is set, and what was told so far.
func (l *Liar) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Status{Settings: l.doc, Left: slices.Clone(l.left), Told: maps.Clone(l.told)}
}

// Tell says which one of the lies, in their order, is to be told about an
// operation now, and counts it; none is empty.
func (l *Liar) Tell(about Operation, candidates ...Lie) (Lie, extent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, candidate := range candidates {
		if how, yes := l.due(about, candidate); yes {
			l.told[candidate]++
			return candidate, how.over(extent{LaterMS: 1000, LateMS: 1000, Copies: 2, Code: "NO_AUTH"})
		}
	}
	return "", extent{}
}

func (l *Liar) due(about Operation, candidate Lie) (extent, bool) {
	for i, r := range l.doc.Rules {
		if l.left[i] > 0 && r.Lie == candidate && r.names(about) {
			l.left[i]--
			return r.over(l.doc.extent), true
		}
	}
	// The dice roll only for rates that are set, so that a seed gives the same
	// run whatever else may be told.
	rate := l.doc.Rates[candidate]
	return l.doc.extent, rate > 0 && l.dice.Float64() < rate
}

func (r *rule) names(about Operation) bool {
	return (r.Kind == "" || r.Kind == about.Kind) && (r.No == "" || r.No == about.No) &&
		strings.HasPrefix(about.No, r.NoPrefix) && (r.Party == "" || r.Party == about.Party)
}

// Tells is tell of one lie that has no extent.
func (l *Liar) Tells(about Operation, candidate Lie) bool {
	told, _ := l.Tell(about, candidate)
	return told != ""
}

// Deceit is everything told about one callback.
type Deceit struct {
	Drop   bool
	Late   time.Duration // before the first attempt
	Hold   bool          // until a later one was attempted; late is the bound
	Before []Variant     // posted ahead of the true one
	Copies int           // of the true one, at once, besides it
	// Contrary, when positive, is how long after the true one was taken its
	// contrary follows.
	Contrary time.Duration
}

// Callback decides what is told about the callback of an operation. Only what
// succeeded, and is no charge, has a contrary.
func (l *Liar) Callback(about Operation, hasContrary bool) (d Deceit) {
	if d.Drop = l.Tells(about, dropCallback); d.Drop {
		return d // nothing else is told with a callback that never comes
	}
	if told, how := l.Tell(about, reorderedCallback, lateCallback); told != "" {
		d.Late, d.Hold = Milliseconds(how.LateMS), told == reorderedCallback
	}
	for _, v := range []struct {
		lie     Lie
		Variant Variant
	}{{forgedCallback, Forged}, {probeCallback, Probe}, {wrongAmount, OffByOne}} {
		if l.Tells(about, v.lie) {
			d.Before = append(d.Before, v.Variant)
		}
	}
	if told, how := l.Tell(about, duplicateCallback); told != "" {
		d.Copies = how.Copies - 1
	}
	if hasContrary {
		if told, how := l.Tell(about, successThenFail); told != "" {
			d.Contrary = Milliseconds(how.LaterMS)
		}
	}
	return d
}

// Milliseconds is how long an extent of that many is.
func Milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
