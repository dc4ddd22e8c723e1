package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"hongbao/loadtest"
	"hongbao/loadtest/measure"
	"hongbao/reconcile"
)

var (
	tags     = regexp.MustCompile(`<(/?)([a-zA-Z][a-zA-Z0-9]*)[^>]*?(/?)>`)
	drawings = regexp.MustCompile(`(?s)<svg.*?</svg>`)
)

// checkPage: every tag is closed, every drawing is XML with a name, and nothing
// is fetched or run.
func checkPage(t *testing.T, page string, charts int) {
	t.Helper()
	var open []string
	for _, m := range tags.FindAllStringSubmatch(page, -1) {
		name := strings.ToLower(m[2])
		switch {
		case m[3] == "/" || slices.Contains([]string{"meta", "br", "link", "img", "input"}, name):
		case m[1] == "":
			open = append(open, name)
		case len(open) == 0 || open[len(open)-1] != name:
			t.Fatalf("</%s> closes %v", name, open)
		default:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("never closed: %v", open)
	}
	found := drawings.FindAllString(page, -1)
	if len(found) != charts {
		t.Errorf("the page has %d charts, want %d", len(found), charts)
	}
	for _, svg := range found {
		if err := wellFormed(svg); err != nil {
			t.Errorf("%v in %.300s", err, svg)
		}
		if !strings.Contains(svg, `role="img" aria-label="`) || strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Errorf("a chart without a name or with no number in it: %.300s", svg)
		}
	}
	for _, foreign := range []string{"<script", "<link", "<iframe", "src=", "url(", "@import", "https://", "http://", "onclick"} {
		if strings.Contains(page, foreign) {
			t.Errorf("the page has %q: it is not self-contained", foreign)
		}
	}
	for _, wanted := range []string{`<html lang="en">`, "prefers-color-scheme: dark", ":focus-visible", `tabindex="0"`, "<!doctype html>"} {
		if !strings.Contains(page, wanted) {
			t.Errorf("the page lacks %q", wanted)
		}
	}
}

func wellFormed(text string) error {
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func sampleRuns() *measure.Runs {
	run := &loadtest.Run{Open: true, To: 3 * time.Second, Callers: 10, Arrivals: 900}
	for i := range 900 {
		at := int64(i) * int64(time.Second) / 300
		rec := loadtest.Record{First: at, Due: at, Sent: at, Got: at + int64(i%50+1)*int64(time.Millisecond), Outcome: loadtest.Opened, Status: 200}
		if i%10 == 0 {
			rec.Class, rec.Outcome = loadtest.RefusedFast, loadtest.Nothing
		}
		run.Records = append(run.Records, rec)
	}
	run.Records = append(run.Records, loadtest.Record{Act: loadtest.Sending, Got: 1000, Status: 201})
	r := measure.NewRuns()
	r.Add(&measure.Result{Plan: loadtest.PlanConfig{Scenario: loadtest.Festival}, OpenMode: "group", Durability: "d", Verdict: &loadtest.Verdict{}, Measured: measure.Of(run)})
	return r
}

func TestAReportIsAPageByItself(t *testing.T) {
	r := sampleRuns()
	r.Close([]measure.Books{{Set: "000", Envelopes: 3, Violations: []string{}}})
	var page bytes.Buffer
	if err := WriteRuns(&page, r); err != nil {
		t.Fatal(err)
	}
	checkPage(t, page.String(), 2)
	if !strings.Contains(page.String(), "The audit passed") {
		t.Error("the page has no verdict")
	}
}

func TestAReportOfALieShowsTheLieAndNoChart(t *testing.T) {
	r := sampleRuns()
	lie := &loadtest.Verdict{Violations: []reconcile.Difference{{Rule: "an envelope's numbers add up (I1, I4, I5)", Key: "1", Have: `<script>alert("x")</script>`}}, Samples: []string{"<b>500</b>"}}
	r.Add(&measure.Result{Plan: loadtest.PlanConfig{Scenario: loadtest.Hot}, Verdict: lie})
	var page bytes.Buffer
	if err := WriteRuns(&page, r); err != nil {
		t.Fatal(err)
	}
	checkPage(t, page.String(), 0)
	if text := page.String(); !strings.Contains(text, "The audit failed") || !strings.Contains(text, "&lt;script&gt;") || strings.Contains(text, "a second over time") {
		t.Error("the page hides the lie or shows a throughput")
	}
}

func TestNumbersAreShort(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.35: "0.35", 12: "12", 12.5: "12.5", 820.4: "820", 9999: "9999", 10_000: "10k", 21_430: "21.4k", 204_843: "205k"} {
		if got := short(v); got != want {
			t.Errorf("%v is shown as %s, want %s", v, got, want)
		}
	}
	for v, want := range map[float64]float64{0: 1, 1: 1, 1.1: 2, 4: 5, 7: 10, 230: 500, 0.03: 0.05} {
		if got := roundStep(v); got < want*0.999 || got > want*1.001 {
			t.Errorf("the round step from %v is %v, want %v", v, got, want)
		}
	}
}
