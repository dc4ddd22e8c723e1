package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"

	"hongbao/loadtest"
	"hongbao/loadtest/measure"
)

//go:embed page.html
var pageText string

// page is what the template shows.
type page struct {
	Title, Subtitle string
	Passed          bool
	Sections        []section
}

type section struct {
	Title, Text string
	Charts      []chart
	Tables      []pageTable
}

// write renders the page: one file, no scripts, nothing fetched.
func (p *page) write(w io.Writer) error {
	t, err := template.New("report").Parse(pageText)
	if err != nil {
		return fmt.Errorf("report page: %w", err)
	}
	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("report page: %w", err)
	}
	return nil
}

// rateChart is what was answered, over time.
func rateChart(title string, windows []measure.Window, band [2]float64) chart {
	all := []series{{name: "opened"}, {name: "other"}, {name: "refused"}, {name: "unknown"}}
	a := axes{x: "s", y: "per second", yMax: 1, xMax: 1, band: band}
	for i := range windows {
		w := &windows[i]
		for k, n := range [...]int{w.Opened, w.Answered, w.Refused, w.Unknown} {
			y := float64(n) / w.Seconds
			all[k].points = append(all[k].points, xy{w.At, y})
			a.yMax = max(a.yMax, y)
		}
		a.xMax = max(a.xMax, w.At+w.Seconds)
	}
	a.xTicks = evenTicks(a.xMax, 8)
	return lines(title, a, all)
}

func p99Chart(title string, windows []measure.Window, band [2]float64) chart {
	one := series{name: "p99"}
	a := axes{x: "s", y: "ms", logY: true, yMin: 1, yMax: 10, xMax: 1, band: band}
	for i := range windows {
		w := &windows[i]
		one.points = append(one.points, xy{w.At, w.P99})
		a.yMax, a.xMax = max(a.yMax, math.Pow(10, math.Ceil(math.Log10(max(1, w.P99))))), max(a.xMax, w.At+w.Seconds)
	}
	a.xTicks = evenTicks(a.xMax, 8)
	return lines(title, a, []series{one})
}

// latencyChart has an axis that gives each further nine the same room.
func latencyChart(title string, names []string, latencies []measure.Latency) chart {
	a := axes{x: "percentile", y: "ms", logY: true, yMin: 0.1, yMax: 1, xMax: 1}
	var all []series
	for i, l := range latencies {
		one := series{name: names[i]}
		for _, p := range l.Curve {
			nines := -math.Log10(1 - p.Percentile/100)
			one.points = append(one.points, xy{nines, p.Ms})
			a.xMax, a.yMax = max(a.xMax, nines), max(a.yMax, math.Pow(10, math.Ceil(math.Log10(max(p.Ms, 0.1)))))
		}
		all = append(all, one)
	}
	for _, m := range []mark{{0, "0"}, {0.301, "50"}, {1, "90"}, {2, "99"}, {3, "99.9"}, {4, "99.99"}, {5, "99.999"}} {
		if m.at <= a.xMax+0.01 {
			a.xTicks = append(a.xTicks, m)
		}
	}
	c := lines(title, a, all)
	c.Table = pageTable{Name: title, Head: []string{"", "p50", "p90", "p99", "p99.9", "max"}, texts: []string{""}}
	for i, l := range latencies {
		c.Table.Rows = append(c.Table.Rows, []string{names[i], short(l.P50), short(l.P90), short(l.P99), short(l.P999), short(l.Max)})
	}
	return c
}

func auditSection(v *loadtest.Verdict, books []measure.Books) section {
	s := section{Title: "Audit", Text: fmt.Sprintf("%d requests about %d envelopes with %d shares were held against what was shown at the end; "+
		"%d draws were recomputed from their revealed seeds; %d requests of unknown outcome had taken a share, %d had not.",
		v.Requests, v.Envelopes, v.Shares, v.DrawsVerified, v.UnknownTaken, v.UnknownUntaken)}
	found := pageTable{Name: "Violations", Head: []string{"Rule", "Envelope", "What"}, texts: []string{"Rule", "Envelope", "What"}}
	for _, one := range v.Violations {
		found.Rows = append(found.Rows, []string{one.Rule, one.Key, one.Have})
	}
	sets := pageTable{Name: "Books", Head: []string{"SET", "Envelopes", "Shares", "Paid", "Opened", "Refunded", "Remaining", "Violations"}}
	for _, b := range books {
		sets.Rows = append(sets.Rows, []string{b.Set, fmt.Sprint(b.Envelopes), fmt.Sprint(b.Shares), b.Paid.String(), b.Opened.String(), b.Refunded.String(), b.Remaining.String(), fmt.Sprint(len(b.Violations))})
		for _, what := range b.Violations {
			found.Rows = append(found.Rows, []string{"the books balance", "", what})
		}
	}
	for _, t := range []pageTable{found, sets} {
		if len(t.Rows) > 0 {
			s.Tables = append(s.Tables, t)
		}
	}
	return s
}
