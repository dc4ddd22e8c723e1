package queue

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// cpuGapMin is the shortest time over which a share of CPU means anything:
// the kernel counts in ticks of 10 ms.
const cpuGapMin = 20 * time.Millisecond

// CPU measures how busy the processor is. It is safe for concurrent use.
type CPU struct {
	mu      sync.Mutex
	at      time.Time
	process time.Duration // CPU time used by this process until at
	machine ticks
	busy    float64 // the last answer
}

// ticks are the machine's CPU time since boot, in kernel ticks.
type ticks struct{ busy, total uint64 }

// NewCPU starts measuring.
func NewCPU() *CPU {
	return &CPU{at: time.Now(), process: processTime(), machine: machineTicks()}
}

// Busy returns the share of CPU used since the last call, 0..1: the larger of
// this process's share of GOMAXPROCS and, where /proc/stat exists, of the
// machine's, because a database that starves beside us is as bad. It costs two
// system calls and a small file, about 10 µs.
func (c *CPU) Busy() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	wall := time.Since(c.at)
	if wall < cpuGapMin {
		return c.busy
	}
	process, machine := processTime(), machineTicks()
	own := float64(process-c.process) / float64(wall*time.Duration(runtime.GOMAXPROCS(0)))
	all := 0.0
	if machine.total > c.machine.total {
		all = float64(machine.busy-c.machine.busy) / float64(machine.total-c.machine.total)
	}
	c.at, c.process, c.machine = c.at.Add(wall), process, machine
	c.busy = min(1, max(own, all))
	return c.busy
}

func processTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// machineTicks reads the first line of /proc/stat:
// cpu user nice system idle iowait irq softirq steal ….
func machineTicks() ticks {
	f, err := os.Open("/proc/stat")
	if err != nil {
		return ticks{}
	}
	defer f.Close()
	var buf [256]byte
	n, _ := f.Read(buf[:])
	line, _, _ := bytes.Cut(buf[:n], []byte{'\n'})
	return parseTicks(line)
}

// parseTicks counts everything but idle and iowait as busy. Guest time, after
// the eighth number, is part of user time already.
func parseTicks(line []byte) ticks {
	fields := bytes.Fields(line)
	if len(fields) < 9 || string(fields[0]) != "cpu" {
		return ticks{}
	}
	var t ticks
	for i, f := range fields[1:9] {
		v, err := strconv.ParseUint(string(f), 10, 64)
		if err != nil {
			return ticks{}
		}
		t.total += v
		if i != 3 && i != 4 {
			t.busy += v
		}
	}
	return t
}
