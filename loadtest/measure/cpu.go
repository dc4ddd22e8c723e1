package measure

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// tick is the unit of the times in /proc: USER_HZ is 100 on every Linux that Go
// runs on.
const tick = 10 * time.Millisecond

// ProcessCPU is the CPU time that processes have used so far, in user and
// kernel, all their threads together, to 10 ms. Linux only.
func ProcessCPU(pids ...int) (total time.Duration, err error) {
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
		}
		// "pid (name) state ppid … utime stime …": the name may hold anything.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) < 13 {
			return 0, fmt.Errorf("CPU time of process %d: /proc/%d/stat has %d fields", pid, pid, len(fields))
		}
		for _, f := range fields[11:13] {
			ticks, err := strconv.ParseInt(string(f), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
			}
			total += time.Duration(ticks) * tick
		}
	}
	return total, nil
}

// machineCPU is the CPU time that everything on this machine has used so far,
// the part that its host gave to other machines included.
func machineCPU() (busy time.Duration, err error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("CPU time of the machine: %w", err)
	}
	// cpu user nice system idle iowait irq softirq steal …
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 9 || string(fields[0]) != "cpu" {
		return 0, fmt.Errorf("CPU time of the machine: /proc/stat starts with %q", line)
	}
	for i, f := range fields[1:9] {
		ticks, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("CPU time of the machine: %w", err)
		}
		if waiting := i == 3 || i == 4; !waiting {
			busy += time.Duration(ticks) * tick
		}
	}
	return busy, nil
}
