package settings_test

import (
	"strings"
	"testing"

	"hongbao/internal/settings"
)

// FS10: what a payout reports belongs to its scene, and scene 1000 is known.
func TestWhatAPayoutReportsIsThatOfItsScene(t *testing.T) {
	report := func(content string) []settings.SceneReport {
		return []settings.SceneReport{{Type: "岗位类型", Content: content}}
	}
	scenes := map[string]settings.Scene{"1000": {Perception: "活动奖励", Report: report("活动")}, "1005": {Report: report("外卖员")}}
	for what, c := range map[string]struct {
		scene            string
		scenes           map[string]settings.Scene
		id, said, report string // what the payment account gets; empty is the client's own choice
	}{
		"nothing said":             {"", nil, "1000", "", ""},
		"the default, written out": {"1000", nil, "1000", "", ""},
		"the default, described":   {"", scenes, "1000", "活动奖励", "活动"},
		"another one":              {"1005", scenes, "1005", "", "外卖员"},
	} {
		d := newDeployment(t)
		d.Payment.TransferScene, d.Payment.TransferScenes = c.scene, c.scenes
		terms, err := d.mustLoad(t).Payment.Terms()
		have := ""
		for _, r := range terms.Report {
			have += r.Content
		}
		if err != nil || terms.SceneID != c.id || terms.Perception != c.said || have != c.report || terms.Validate() != nil {
			t.Errorf("%s: %+v, %v", what, terms, err)
		}
	}
	for what, c := range map[string]struct {
		scene  string
		scenes map[string]settings.Scene
		want   string
	}{
		"a scene that is not described": {"1005", nil, "payment.transfer_scenes.1005.report: is required"},
		"one that is not used":          {"", map[string]settings.Scene{"1009": {Perception: "x"}}, "payment.transfer_scenes.1009.report: is required"},
		"a report that is too long":     {"1005", map[string]settings.Scene{"1005": {Report: report(strings.Repeat("外", 33))}}, "payment.transfer_scenes.1005: Payouts.Report.Content"},
		"a report of nothing":           {"1005", map[string]settings.Scene{"1005": {Report: report("")}}, "payment.transfer_scenes.1005: Payouts.Report.Content"},
		"a perception that is too long": {"", map[string]settings.Scene{"1000": {Perception: strings.Repeat("奖", 33)}}, "payment.transfer_scenes.1000: Payouts.Perception"},
		"a scene that is no identifier": {"10 00", map[string]settings.Scene{"10 00": {Report: report("x")}}, "payment.transfer_scenes.10 00: Payouts.SceneID"},
	} {
		d := newDeployment(t)
		d.Payment.TransferScene, d.Payment.TransferScenes = c.scene, c.scenes
		_, err := d.load(t)
		wantError(t, what, err, c.want)
	}
	d := newDeployment(t)
	d.Payment.TransferScenes = scenes
	wantError(t, "a misspelt key", d.loadText(t, func(s string) string { return strings.ReplaceAll(s, "report:", "reports:") }), "reports")
}

// FS12
func TestWhatAChargeIsCalledIsPlainText(t *testing.T) {
	for _, good := range []string{"", "红包", "Red envelope No. 1"} {
		d := newDeployment(t)
		d.Payment.ChargeDescription = good
		if have := d.mustLoad(t).Payment.ChargeDescription; have != good {
			t.Errorf("%q: %q", good, have)
		}
	}
	for _, bad := range []string{"🧧", "a,b", "a`b", "a\u202eb", strings.Repeat("x", 128)} {
		d := newDeployment(t)
		d.Payment.ChargeDescription = bad
		_, err := d.load(t)
		wantError(t, bad, err, "payment.charge_description: ")
	}
}
