package measure

import (
	"runtime"

	"hongbao/envelope"
)

// Runs is a series of runs and the books behind them.
type Runs struct {
	Machine Machine   `json:"machine"`
	Passed  bool      `json:"audit_passed"`
	Runs    []*Result `json:"runs"`
	Books   []Books   `json:"books,omitempty"`
}

// NewRuns is a series of nothing yet, in which nothing was found.
func NewRuns() *Runs { return &Runs{Machine: ThisMachine(), Passed: true} }

// Add adds a run. One that failed hides the throughput of them all: they shared
// a service.
func (r *Runs) Add(one *Result) {
	r.Runs = append(r.Runs, one)
	r.judge(one.Verdict.Passed())
}

// Close adds what the books say.
func (r *Runs) Close(books []Books) {
	r.Books = books
	r.judge(balanced(books))
}

func (r *Runs) judge(passed bool) {
	r.Passed = r.Passed && passed
	if r.Passed {
		return
	}
	for _, one := range r.Runs {
		one.Measured = nil
	}
}

// Machine is where a run took place: absolute figures are its figures.
type Machine struct {
	CPUs int    `json:"cpus"`
	OS   string `json:"os"`
	Arch string `json:"arch"`
}

// ThisMachine describes where this process runs.
func ThisMachine() Machine {
	return Machine{CPUs: runtime.NumCPU(), OS: runtime.GOOS, Arch: runtime.GOARCH}
}

// Books is what reading every row of one SET found, when the load was over.
type Books struct {
	Set        string       `json:"set"`
	Envelopes  int          `json:"envelopes"`
	Shares     int          `json:"shares"`
	Paid       envelope.Fen `json:"paid_fen"`
	Opened     envelope.Fen `json:"opened_fen"`
	Refunded   envelope.Fen `json:"refunded_fen"`
	Remaining  envelope.Fen `json:"remaining_fen"`
	Violations []string     `json:"violations"`
}
