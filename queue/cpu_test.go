package queue

import (
	"os"
	"testing"
	"time"
)

func TestTicksCountIdleAndIowaitAsNotBusy(t *testing.T) {
	for line, want := range map[string]ticks{
		"cpu  100 5 40 800 50 1 2 2 7 3": {busy: 150, total: 1000},
		"cpu  1 1 1 1 1 1 1 1":           {busy: 6, total: 8},
		"cpu0 100 5 40 800 50 1 2 2 0 0": {},
		"cpu  100 5 40":                  {},
		"cpu  a b c d e f g h":           {},
		"":                               {},
	} {
		if got := parseTicks([]byte(line)); got != want {
			t.Errorf("%q: got %+v, want %+v", line, got, want)
		}
	}
}

func TestCPUSeesABusyProcess(t *testing.T) {
	if _, err := os.Stat("/proc/stat"); err == nil && machineTicks().total == 0 {
		t.Error("/proc/stat was not understood")
	}
	c := NewCPU()
	if b := c.Busy(); b != 0 {
		t.Errorf("%v busy before any time has passed, want the last answer, 0", b)
	}
	for start := time.Now(); time.Since(start) < 5*cpuGapMin; {
		// One processor of however many works here.
	}
	if b := c.Busy(); b <= 0 || b > 1 {
		t.Errorf("%v busy while spinning, want more than 0 and at most 1", b)
	}
}
