package measure

import "hongbao/loadtest"

// Target is a promise about a ratio, and whether this run kept it.
type Target struct {
	Ratio   string  `json:"ratio"`
	AtLeast float64 `json:"at_least,omitempty"`
	AtMost  float64 `json:"at_most,omitempty"`
	Have    float64 `json:"have"`
	Met     bool    `json:"met"`
	What    string  `json:"what"`
}

// The names of the ratios in a comparison's JSON.
const (
	ratioHot        = "hot_group_over_plain"
	ratioSpread     = "spread_group_over_plain"
	ratioEcho       = "group_over_echo"
	ratioRefusal    = "refusal_over_open_cpu"
	ratioGoodput    = "goodput_at_10x"
	ratioP99        = "p99_ms_at_60_percent"
	ratioRecovery   = "recovery_s_after_10x"
	ratioHotFIFO    = "hot_fifo_over_plain"
	ratioSpreadFIFO = "spread_fifo_over_plain"
	ratioHotEcho    = "hot_group_over_echo"
	ratioRefusalNet = "refusal_over_open_cpu_beyond_http"
	ratioRefusalOld = "refusal_over_plain_open_cpu"
)

// ratios are what of a comparison travels to other machines.
func (f *Figures) ratios() map[string]float64 {
	at := func(mode string, scenario loadtest.Scenario, callers int) float64 {
		return CellOf(f.Cells, mode, scenario, callers).PerSecond
	}
	echo := CellOf(f.Echo, modeEcho, loadtest.Spread, manyCallers).PerSecond
	return map[string]float64{
		ratioHot:        over(at(ModeGroup, loadtest.Hot, typicalCallers), at(ModePlain, loadtest.Hot, typicalCallers)),
		ratioSpread:     over(at(ModeGroup, loadtest.Spread, typicalCallers), at(ModePlain, loadtest.Spread, typicalCallers)),
		ratioHotFIFO:    over(at(ModeFIFO, loadtest.Hot, typicalCallers), at(ModePlain, loadtest.Hot, typicalCallers)),
		ratioSpreadFIFO: over(at(ModeFIFO, loadtest.Spread, typicalCallers), at(ModePlain, loadtest.Spread, typicalCallers)),
		ratioEcho:       over(at(ModeGroup, loadtest.Spread, manyCallers), echo),
		ratioHotEcho:    over(at(ModeGroup, loadtest.Hot, manyCallers), echo),
		ratioRefusal:    f.Refusal.OverOpen,
		ratioRefusalNet: f.Refusal.BeyondHTTPOver,
		ratioRefusalOld: f.Refusal.OverPlainOpen,
		ratioGoodput:    f.Overload.Over,
		ratioP99:        f.Steady.Accepted.P99,
		ratioRecovery:   f.Overload.RecoverySeconds,
	}
}

// over is a / b, and 0 where there is nothing to divide by: JSON knows no infinity.
func over(a, b float64) float64 {
	if b <= 0 {
		return 0
	}
	return a / b
}

// targets holds the ratios of a comparison against what is promised.
func targets(ratios map[string]float64) []Target {
	return held(ratios, []Target{
		{Ratio: ratioHot, AtLeast: 40, What: "one hot envelope, 200 callers"},
		{Ratio: ratioSpread, AtLeast: 10, What: "500 envelopes, 200 callers"},
		{Ratio: ratioEcho, AtLeast: 0.5, What: "500 envelopes, 1000 callers, against the echo of the same stack"},
		{Ratio: ratioP99, AtMost: 50, What: "p99 of accepted opens in an open loop, ms"},
		{Ratio: ratioRefusal, AtMost: 0.02, What: "CPU of a refusal against an open, HTTP included"},
		{Ratio: ratioGoodput, AtLeast: 0.85, What: "new shares while ten times the capacity is offered"},
		{Ratio: ratioRecovery, AtMost: 10, What: "seconds until served as before, naive clients asking on"},
	})
}

// held fills in what was measured, and whether it is enough.
func held(ratios map[string]float64, all []Target) []Target {
	for i := range all {
		t := &all[i]
		t.Have = ratios[t.Ratio]
		t.Met = t.Have >= t.AtLeast
		if t.AtMost > 0 {
			t.Met = t.Have >= 0 && t.Have <= t.AtMost
		}
	}
	return all
}
