package simulator

import (
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"hongbao/internal/payment/simulator/refusal"

	"github.com/go-json-experiment/json"
)

// liar decides when to lie. It keeps nothing on disk: a new life is honest.
type liar struct {
	mu   sync.Mutex
	doc  lies
	left []int // times of each rule
	dice *rand.Rand
	told map[lie]int64
}

func newLiar() *liar {
	l := &liar{}
	l.reset()
	return l
}

// set replaces what is to be told. The counts go on.
func (l *liar) set(doc lies) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doc, l.left = doc, make([]int, len(doc.Rules))
	for i, r := range doc.Rules {
		l.left[i] = r.Times
	}
	l.dice = rand.New(rand.NewPCG(doc.Seed, 0))
}

// reset is honest again, and forgets what it told.
func (l *liar) reset() {
	l.set(lies{})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = map[lie]int64{}
}

// lieStatus is what GET /simulator/lies answers.
type lieStatus struct {
	Settings lies          `json:"settings"`
	Left     []int         `json:"rules_left"` // times of each rule
	Told     map[lie]int64 `json:"told"`
}

func (l *liar) status() lieStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	return lieStatus{Settings: l.doc, Left: slices.Clone(l.left), Told: maps.Clone(l.told)}
}

// tell says which one of the lies, in their order, is to be told about an
// operation now, and counts it; none is empty.
func (l *liar) tell(about operation, candidates ...lie) (lie, extent) {
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

func (l *liar) due(about operation, candidate lie) (extent, bool) {
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

func (r *rule) names(about operation) bool {
	return (r.Kind == "" || r.Kind == about.kind) && (r.No == "" || r.No == about.no) &&
		strings.HasPrefix(about.no, r.NoPrefix) && (r.Party == "" || r.Party == about.party)
}

// tells is tell of one lie that has no extent.
func (l *liar) tells(about operation, candidate lie) bool {
	told, _ := l.tell(about, candidate)
	return told != ""
}

// deceit is everything told about one callback.
type deceit struct {
	drop   bool
	late   time.Duration // before the first attempt
	hold   bool          // until a later one was attempted; late is the bound
	before []variant     // posted ahead of the true one
	copies int           // of the true one, at once, besides it
	// contrary, when positive, is how long after the true one was taken its
	// contrary follows.
	contrary time.Duration
}

// callback decides what is told about the callback of an operation. Only what
// succeeded, and is no charge, has a contrary.
func (l *liar) callback(about operation, hasContrary bool) (d deceit) {
	if d.drop = l.tells(about, dropCallback); d.drop {
		return d // nothing else is told with a callback that never comes
	}
	if told, how := l.tell(about, reorderedCallback, lateCallback); told != "" {
		d.late, d.hold = milliseconds(how.LateMS), told == reorderedCallback
	}
	for _, v := range []struct {
		lie     lie
		variant variant
	}{{forgedCallback, forged}, {probeCallback, probe}, {wrongAmount, offByOne}} {
		if l.tells(about, v.lie) {
			d.before = append(d.before, v.variant)
		}
	}
	if told, how := l.tell(about, duplicateCallback); told != "" {
		d.copies = how.Copies - 1
	}
	if hasContrary {
		if told, how := l.tell(about, successThenFail); told != "" {
			d.contrary = milliseconds(how.LaterMS)
		}
	}
	return d
}

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

func (s *Simulator) getLies(w http.ResponseWriter, _ *http.Request) {
	s.plain(w, http.StatusOK, s.liar.status())
}

func (s *Simulator) putLies(w http.ResponseWriter, r *http.Request) {
	var doc lies
	// A misspelt lie is never told, so here what is unknown is a mistake.
	err := refusal.Explain(json.UnmarshalRead(http.MaxBytesReader(w, r.Body, liesBytesMax), &doc, json.RejectUnknownMembers(true)), nil)
	if err == nil {
		if wrong := doc.check(); wrong != nil {
			err = refusal.BadField("", nil, wrong.Error())
		}
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	s.liar.set(doc)
	s.getLies(w, r)
}

func (s *Simulator) deleteLies(w http.ResponseWriter, _ *http.Request) {
	s.liar.reset()
	w.WriteHeader(http.StatusNoContent)
}
