package measure

import (
	"math"
	"os"
	"testing"
	"time"

	"hongbao/loadtest"
)

func TestClosedLoopCountsMeasuredTimeOnly(t *testing.T) {
	at := func(got time.Duration, told loadtest.Outcome, class loadtest.Class) loadtest.Record {
		return loadtest.Record{Due: int64(got - 10*time.Millisecond), First: int64(got - 30*time.Millisecond), Got: int64(got), Outcome: told, Class: class}
	}
	const s = time.Second
	run := &loadtest.Run{From: s, To: 3 * s, Records: []loadtest.Record{
		at(s-1, loadtest.Opened, loadtest.Accepted), at(s, loadtest.Opened, loadtest.Accepted), at(2*s, loadtest.AlreadyOpened, loadtest.Accepted), at(2*s, loadtest.Nothing, loadtest.RefusedFast),
		at(2*s, loadtest.Nothing, loadtest.RefusedSlow), at(2*s, loadtest.Nothing, loadtest.Unknown), at(2*s, loadtest.Nothing, loadtest.Unreached), at(2*s, loadtest.Nothing, loadtest.Wrong), at(2*s, loadtest.Empty, loadtest.Accepted),
		at(2*s, loadtest.Expired, loadtest.Accepted), at(3*s, loadtest.Opened, loadtest.Accepted),
	}}
	m := Of(run)
	want := Counts{Asked: 9, Opened: 1, AlreadyOpened: 1, Empty: 1, Expired: 1, RefusedFast: 1, RefusedSlow: 1, Unknown: 1, Unreached: 1, Wrong: 1}
	if m.Counts != want || m.OpensPerSecond != 0.5 || m.AnswersPerSec != 4.5 {
		t.Errorf("measured %+v, %v opens/s, %v answers/s; want %+v, 0.5, 4.5", m.Counts, m.OpensPerSecond, m.AnswersPerSec, want)
	}
	if m.Accepted.Count != 4 || m.Accepted.P50 < 9.9 || m.Accepted.P50 > 10.1 || m.Served.P50 < 29.8 || m.Served.P50 > 30.2 || m.Refused.Count != 2 {
		t.Errorf("accepted %+v, served p50 %v, refused %d", m.Accepted, m.Served.P50, m.Refused.Count)
	}
	run.Open = true // then everything due in it counts, and only the rates are of its time
	if m := Of(run); m.Counts.Asked != 11 || m.Counts.Opened != 3 || m.OpensPerSecond != 0.5 {
		t.Errorf("in an open loop: %+v, %v opens/s", m.Counts, m.OpensPerSecond)
	}
}

func TestLatenciesAreExactToThreeDigits(t *testing.T) {
	h := newHistogram()
	for ms := int64(1); ms <= 1000; ms++ {
		h.add(0, ms*int64(time.Millisecond))
	}
	h.add(5, 5)                // no time at all counts as the shortest
	h.add(0, int64(time.Hour)) // and forever as the longest
	l := h.latency()
	for name, have := range map[string][2]float64{"p50": {l.P50, 500}, "p90": {l.P90, 901}, "p99": {l.P99, 991}, "max": {l.Max, latencyMax.Seconds() * 1e3}} {
		if math.Abs(have[0]-have[1]) > have[1]*0.002+0.5 {
			t.Errorf("%s is %.1f ms, want %.1f", name, have[0], have[1])
		}
	}
	for i := 1; i < len(l.Curve); i++ {
		if l.Curve[i].Ms < l.Curve[i-1].Ms || l.Curve[i].Percentile <= l.Curve[i-1].Percentile {
			t.Errorf("the curve falls at %+v", l.Curve[i])
		}
	}
}

func TestProcessesAreChargedForTheirCPU(t *testing.T) {
	before, err := ProcessCPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	own := ownTime()
	for sum := 0; ownTime()-own < 100*time.Millisecond; sum++ {
	}
	after, err := ProcessCPU(os.Getpid())
	if spent := after - before; err != nil || spent < 80*time.Millisecond || spent > 10*time.Second {
		t.Errorf("100 ms of work were charged as %v (%v)", spent, err)
	}
	machine, err := machineCPU()
	if err != nil || machine < after-before {
		t.Errorf("the whole machine has used %v (%v), of which we %v", machine, err, after-before)
	}
	if _, err := ProcessCPU(1 << 30); err == nil {
		t.Error("a process that is not there has a CPU time")
	}
}
