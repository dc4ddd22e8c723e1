package loadtest

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
	RatioHot        = "hot_group_over_plain"
	RatioSpread     = "spread_group_over_plain"
	RatioEcho       = "group_over_echo"
	RatioRefusal    = "refusal_over_open_cpu"
	RatioGoodput    = "goodput_at_10x"
	RatioP99        = "p99_ms_at_60_percent"
	RatioRecovery   = "recovery_s_after_10x"
	RatioHotFIFO    = "hot_fifo_over_plain"
	RatioSpreadFIFO = "spread_fifo_over_plain"
	RatioHotEcho    = "hot_group_over_echo"
	RatioRefusalNet = "refusal_over_open_cpu_beyond_http"
	RatioRefusalOld = "refusal_over_plain_open_cpu"
)

// ratios are what of a comparison travels to other machines.
func (f *Figures) ratios() map[string]float64 {
	at := func(mode string, scenario Scenario, callers int) float64 {
		return cellOf(f.Cells, mode, scenario, callers).PerSecond
	}
	echo := cellOf(f.Echo, modeEcho, Spread, manyCallers).PerSecond
	return map[string]float64{
		RatioHot:        over(at(ModeGroup, Hot, typicalCallers), at(ModePlain, Hot, typicalCallers)),
		RatioSpread:     over(at(ModeGroup, Spread, typicalCallers), at(ModePlain, Spread, typicalCallers)),
		RatioHotFIFO:    over(at(ModeFIFO, Hot, typicalCallers), at(ModePlain, Hot, typicalCallers)),
		RatioSpreadFIFO: over(at(ModeFIFO, Spread, typicalCallers), at(ModePlain, Spread, typicalCallers)),
		RatioEcho:       over(at(ModeGroup, Spread, manyCallers), echo),
		RatioHotEcho:    over(at(ModeGroup, Hot, manyCallers), echo),
		RatioRefusal:    f.Refusal.OverOpen,
		RatioRefusalNet: f.Refusal.BeyondHTTPOver,
		RatioRefusalOld: f.Refusal.OverPlainOpen,
		RatioGoodput:    f.Overload.Over,
		RatioP99:        f.Steady.Accepted.P99,
		RatioRecovery:   f.Overload.RecoverySeconds,
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
		{Ratio: RatioHot, AtLeast: 40, What: "one hot envelope, 200 callers"},
		{Ratio: RatioSpread, AtLeast: 10, What: "500 envelopes, 200 callers"},
		{Ratio: RatioEcho, AtLeast: 0.5, What: "500 envelopes, 1000 callers, against the echo of the same stack"},
		{Ratio: RatioP99, AtMost: 50, What: "p99 of accepted opens in an open loop, ms"},
		{Ratio: RatioRefusal, AtMost: 0.02, What: "CPU of a refusal against an open, HTTP included"},
		{Ratio: RatioGoodput, AtLeast: 0.85, What: "new shares while ten times the capacity is offered"},
		{Ratio: RatioRecovery, AtMost: 10, What: "seconds until served as before, naive clients asking on"},
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
