package receiver

// watchedMax bounds the envelopes whose course is remembered; the one that began
// longest ago is forgotten first.
const watchedMax = 100_000

// The types of events, as the service spells them.
const (
	typeActive   = "envelope.active"
	typeOpened   = "share.opened"
	typeFinished = "envelope.finished"
	typeRefunded = "envelope.refunded"
)

// facts are counts of facts, each once however often it was received.
type facts struct {
	Active   int `json:"active"`
	Shares   int `json:"shares"`
	Finished int `json:"finished"`
	Refunded int `json:"refunded"`
}

// course is the events received of one envelope.
type course struct {
	active, finished, refunded bool
	seq                        int // shares up to it
}

// orderly holds the events of each envelope to their order: active, shares
// without a gap, finished, refunded. An event may be repeated at any time.
// The zero value has received nothing.
type orderly struct {
	courses    map[string]*course
	began      []string // the envelopes in courses, the oldest first
	seen       facts
	disordered int
	forgotten  int
}

// take counts an event that verified. An envelope whose first event is in the
// middle of its life, because the receiver was not there at its beginning, is
// held to the order from there on.
func (o *orderly) take(t *content) {
	if t.Data.EnvelopeID == "" {
		return // none of ours
	}
	c, fresh := o.course(t.Data.EnvelopeID)
	right := true
	switch t.Type {
	case typeActive:
		right = fresh || c.active
		once(&c.active, &o.seen.Active)
	case typeOpened:
		right = o.takeShares(c, fresh, t.Data.Shares)
	case typeFinished:
		right = fresh || c.finished || t.Data.OpenedCount == c.seq
		once(&c.finished, &o.seen.Finished)
	case typeRefunded: // of an envelope paid too late, this is the only event
		right = fresh || c.finished
		once(&c.refunded, &o.seen.Refunded)
	}
	if !right {
		o.disordered++
	}
}

// takeShares takes shares in their order, which begin where the last ones ended
// or before, and do not end before they begin.
func (o *orderly) takeShares(c *course, fresh bool, shares []share) bool {
	if len(shares) == 0 {
		return false
	}
	first, last := shares[0].Seq, shares[len(shares)-1].Seq
	right := (fresh || first <= c.seq+1) && (last <= c.seq || !c.finished)
	for i := range shares {
		right = right && shares[i].Seq == first+i
	}
	o.seen.Shares += max(0, last-max(c.seq, first-1))
	c.seq = max(c.seq, last)
	return right
}

func once(heard *bool, count *int) {
	if !*heard {
		*heard = true
		*count++
	}
}

func (o *orderly) course(id string) (c *course, fresh bool) {
	if c := o.courses[id]; c != nil {
		return c, false
	}
	if o.courses == nil {
		o.courses = map[string]*course{}
	}
	if len(o.began) == watchedMax {
		delete(o.courses, o.began[0])
		o.began = o.began[1:]
		o.forgotten++
	}
	c = &course{}
	o.courses[id] = c
	o.began = append(o.began, id)
	return c, true
}
