package main_test

import (
	"slices"
	"testing"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/internal/settings"
	"hongbao/loadtest/measure"
	"hongbao/loadtest/soak"
)

// What a short soak of five envelopes a second must have met, of a thousand
// occasions to lie.
const soakLiesMin = 100

// TestASoakEndsWithBooksThatAgree is FG1 and FG4: under every fault of the provider,
// and a broken provider is found.
func TestASoakEndsWithBooksThatAgree(t *testing.T) {
	for _, product := range []string{settings.PayoutBills, settings.PayoutBatches} {
		t.Run(product, func(t *testing.T) { soaks(t, product) })
	}
}

func soaks(t *testing.T, product string) {
	p := settest.Playground(t, "--life", "4s", "--pay-within", "3s", "--payouts", product)
	var honest soak.Result
	load(t, p, &honest, "soak", "--duration", "8s", "--rate", "5", "--seed", "1")
	checkSoak(t, &honest)
	for lie := range honest.Simulated {
		if lie == "twice" || lie == "success_then_fail" {
			t.Errorf("%s was told without --bugs", lie)
		}
	}
	p.CheckBooks(t)

	p.Spoiled = true // from here on the ledger has moved money twice
	var broken soak.Result
	load(t, p, &broken, "soak", "--duration", "8s", "--rate", "5", "--seed", "2", "--bugs")
	checkSoak(t, &broken)
	if n := len(broken.MovedTwice); n == 0 || int64(n) != broken.Simulated["twice"] {
		t.Errorf("%d numbers that moved twice were found, %d were told to", n, broken.Simulated["twice"])
	}
	if n := broken.Explained["success_then_fail"]; n == 0 || n != broken.Simulated["success_then_fail"] {
		t.Errorf("%d successes that were taken back are disputed, %d were", n, broken.Simulated["success_then_fail"])
	}
}

func checkSoak(t *testing.T, r *soak.Result) {
	t.Helper()
	if !r.Passed || len(r.Findings) != 0 || !r.Verdict.Passed() || len(r.Notes) != 0 {
		t.Fatalf("the soak: %+v %+v %v", r.Findings, r.Verdict, r.Notes)
	}
	told := int64(0)
	for _, n := range r.Simulated {
		told += n
	}
	t.Logf("soaked for %.0f s, drained in %.0f s", r.Seconds, r.DrainedIn)
	k := r.Reckoning
	if told < soakLiesMin || r.Fates.Sent < 20 || r.Answers.Opened < 20 || k.Payouts.Count < 20 || k.Refunds.Count == 0 ||
		k.States[envelope.Closed] == 0 || k.States[envelope.Settled] == 0 || k.States[envelope.Active]+k.States[envelope.Unpaid] != 0 {
		t.Errorf("the soak met too little: told %v, %+v, %+v", r.Simulated, r.Fates, k)
	}
}

func TestThePipelineIsMeasuredOnAPlayground(t *testing.T) {
	p := settest.Playground(t, "--payouts", settings.PayoutBatches)
	defer leftAlone(t, p)
	var r measure.Pipeline
	load(t, p, &r, "pipeline", "--duration", "20s", "--hurry", "8", "--html", t.TempDir()+"/pipeline.html")
	if !r.Passed || r.Payouts != settings.PayoutBatches || r.Peak.PerSecond <= 0 || r.SignatureMs <= 0 || len(r.Targets) != 4 {
		t.Fatalf("the pipeline: %+v", r)
	}
	for _, one := range slices.Concat([]*measure.Phase{r.Target}, r.Probes, []*measure.Phase{r.Main}) {
		t.Logf("offered %.1f/s for %.1f s: %.1f opens/s, drained in %.1f s, backlog at most %d, bounded %v", one.Rate, one.Seconds, one.OpensPerSecond, one.DrainSeconds, one.BacklogMost.Total(), one.Bounded)
	}
	for _, one := range []*measure.Phase{r.Target, r.Main} {
		if one.OpensPerSecond <= 0 || one.Carried <= 0 || one.FirstCall.Count == 0 || one.Callback.Count == 0 || len(one.Samples) == 0 {
			t.Errorf("a phase: %+v", one)
		}
	}
	if r.Refund.Count < 5 || r.Refund.P99 <= 0 {
		t.Errorf("refunds: %+v", r.Refund)
	}
	for _, name := range []string{"sustained_opens_per_s", "sustained_over_peak", "commit_to_call_p99_ms", "callback_p99_ms", "refund_p99_s", "rsa_share_of_cpu"} {
		if r.Ratios[name] <= 0 {
			t.Errorf("%s is %v", name, r.Ratios[name])
		}
	}
}
