package measure

import (
	"math"
	"time"

	"hongbao/loadtest"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	latencyMax      = 2 * time.Minute // recorded; longer ones count as this
	latencyDigits   = 3
	windowsWanted   = 80
	windowWidthMin  = 100 * time.Millisecond
	windowWidthStep = 50 * time.Millisecond
)

// Measured is what a run was like. Only a run whose audit passed may show it.
type Measured struct {
	Callers  int     `json:"callers"`
	Open     bool    `json:"open_loop"`
	Seconds  float64 `json:"seconds"`
	Arrivals int     `json:"arrivals,omitempty"` // due, in an open loop
	Unsent   int     `json:"unsent,omitempty"`   // of them, left before they could be sent
	Dry      bool    `json:"ran_dry,omitempty"`  // the plan was too small for the time

	Counts         Counts  `json:"answers"`
	OpensPerSecond float64 `json:"opens_per_second"` // new shares: the goodput
	AnswersPerSec  float64 `json:"answers_per_second"`
	SendsPerSecond float64 `json:"sends_per_second,omitempty"`

	Accepted Latency  `json:"accepted"`         // from when the request was due
	Served   Latency  `json:"served"`           // from when the person first wanted it, retries included
	Refused  Latency  `json:"refused"`          // of each refusal
	Sends    *Latency `json:"sends,omitempty"`  // from when the sender wanted it
	Windows  []Window `json:"windows"`          // over time
	CrowdCPU float64  `json:"crowd_us_per_ask"` // µs of CPU our own process spent on a request
}

// Counts are the answers to opens, by class and outcome.
type Counts struct {
	Asked         int `json:"asked"`
	Opened        int `json:"opened"`
	AlreadyOpened int `json:"already_opened"`
	Empty         int `json:"empty"`
	Expired       int `json:"expired"`
	RefusedFast   int `json:"refused_fast"`
	RefusedSlow   int `json:"refused_slow"`
	Unknown       int `json:"unknown"`
	Unreached     int `json:"unreached"`
	Wrong         int `json:"wrong"`
	Sent          int `json:"sent,omitempty"` // envelopes sent during the load
}

// Add counts one answer to an open.
func (c *Counts) Add(r *loadtest.Record) {
	c.Asked++
	switch r.Class {
	case loadtest.RefusedFast:
		c.RefusedFast++
	case loadtest.RefusedSlow:
		c.RefusedSlow++
	case loadtest.Unknown:
		c.Unknown++
	case loadtest.Unreached:
		c.Unreached++
	case loadtest.Wrong:
		c.Wrong++
	}
	switch r.Outcome {
	case loadtest.Opened:
		c.Opened++
	case loadtest.AlreadyOpened:
		c.AlreadyOpened++
	case loadtest.Empty:
		c.Empty++
	case loadtest.Expired:
		c.Expired++
	}
}

// Window is a moment of a run.
type Window struct {
	At       float64 `json:"at_s"` // its start
	Seconds  float64 `json:"seconds"`
	Arrived  int     `json:"arrived"`
	Opened   int     `json:"opened"`
	Answered int     `json:"answered"` // the other accepted answers
	Refused  int     `json:"refused"`
	Unknown  int     `json:"unknown"` // and unreached and wrong
	P99      float64 `json:"p99_ms"`  // of accepted answers
}

// Latency is a distribution in milliseconds.
type Latency struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50_ms"`
	P90   float64 `json:"p90_ms"`
	P99   float64 `json:"p99_ms"`
	P999  float64 `json:"p999_ms"`
	Max   float64 `json:"max_ms"`
	Curve []Point `json:"curve,omitempty"`
}

// Point is a percentile of a distribution.
type Point struct {
	Percentile float64 `json:"percentile"`
	Ms         float64 `json:"ms"`
}

// histogram collects latencies in microseconds.
type histogram struct{ h *hdrhistogram.Histogram }

func newHistogram() histogram {
	return histogram{hdrhistogram.New(1, latencyMax.Microseconds(), latencyDigits)}
}

func (h histogram) add(from, to int64) {
	us := min(max(1, (to-from)/int64(time.Microsecond)), latencyMax.Microseconds())
	if err := h.h.RecordValue(us); err != nil {
		panic(err) // within the bounds it was made with
	}
}

func (h histogram) latency() Latency {
	ms := func(p float64) float64 { return float64(h.h.ValueAtPercentile(p)) / 1e3 }
	l := Latency{Count: h.h.TotalCount()}
	if l.Count == 0 {
		return l
	}
	l.P50, l.P90, l.P99, l.P999, l.Max = ms(50), ms(90), ms(99), ms(99.9), float64(h.h.Max())/1e3
	// Evenly spaced in the number of nines, as far as there are samples.
	for nines := 0.0; nines <= math.Log10(float64(l.Count)) && nines <= 5; nines += 0.125 {
		p := 100 * (1 - math.Pow(10, -nines))
		l.Curve = append(l.Curve, Point{p, ms(p)})
	}
	return l
}

// Of computes what a run was like. Of a closed loop only what was answered
// within the measured time counts; of an open one, everything that was due.
func Of(r *loadtest.Run) *Measured {
	m := &Measured{Callers: r.Callers, Open: r.Open, Seconds: (r.To - r.From).Seconds(), Arrivals: r.Arrivals, Unsent: r.Unsent, Dry: r.Dry}
	accepted, served, refused, sends := newHistogram(), newHistogram(), newHistogram(), newHistogram()
	opened, answered := 0, 0
	for i := range r.Records {
		rec := &r.Records[i]
		within := rec.Got >= int64(r.From) && rec.Got < int64(r.To)
		switch {
		case !within && !r.Open || rec.Act == loadtest.Paying:
			continue
		case rec.Act == loadtest.Sending:
			if rec.Class == loadtest.Accepted {
				m.Counts.Sent++
				sends.add(rec.First, rec.Got)
			}
			continue
		}
		m.Counts.Add(rec)
		if within {
			answered++
		}
		switch rec.Class {
		case loadtest.Accepted:
			accepted.add(rec.Due, rec.Got)
			served.add(rec.First, rec.Got)
			if within && rec.Outcome == loadtest.Opened {
				opened++
			}
		case loadtest.RefusedFast, loadtest.RefusedSlow:
			refused.add(rec.Due, rec.Got)
		}
	}
	m.OpensPerSecond, m.AnswersPerSec = float64(opened)/m.Seconds, float64(answered)/m.Seconds
	m.Accepted, m.Served, m.Refused = accepted.latency(), served.latency(), refused.latency()
	if m.Counts.Sent > 0 {
		l := sends.latency()
		m.Sends, m.SendsPerSecond = &l, float64(m.Counts.Sent)/m.Seconds
	}
	if len(r.Records) > 0 {
		m.CrowdCPU = float64(r.CPU.Microseconds()) / float64(len(r.Records))
	}
	m.Windows = windowsOf(r)
	return m
}

// windowsOf cuts a run into moments.
func windowsOf(r *loadtest.Run) []Window {
	width := max(windowWidthMin, (r.To-r.From)/windowsWanted).Round(windowWidthStep)
	return cut(r, width)
}

func cut(r *loadtest.Run, width time.Duration) []Window {
	n := int((r.To - r.From) / width)
	if n == 0 {
		return nil
	}
	windows, latencies := make([]Window, n), make([]histogram, n)
	for i := range windows {
		windows[i] = Window{At: (time.Duration(i) * width).Seconds(), Seconds: width.Seconds()}
		latencies[i] = newHistogram()
	}
	at := func(t int64) int { return int((time.Duration(t) - r.From) / width) }
	for i := range r.Records {
		rec := &r.Records[i]
		if k := at(rec.First); rec.First == rec.Due && k >= 0 && k < n {
			windows[k].Arrived++
		}
		k := at(rec.Got)
		if rec.Got < int64(r.From) || k >= n || rec.Act != loadtest.Opening {
			continue
		}
		windows[k].add(rec)
		if rec.Class == loadtest.Accepted {
			latencies[k].add(rec.Due, rec.Got)
		}
	}
	for i := range windows {
		windows[i].P99 = float64(latencies[i].h.ValueAtPercentile(99)) / 1e3
	}
	return windows
}

func (w *Window) add(r *loadtest.Record) {
	switch {
	case r.Outcome == loadtest.Opened:
		w.Opened++
	case r.Class == loadtest.Accepted:
		w.Answered++
	case r.Class == loadtest.RefusedFast || r.Class == loadtest.RefusedSlow:
		w.Refused++
	default:
		w.Unknown++
	}
}
