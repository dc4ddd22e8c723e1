package report

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// The drawing board of every chart, in SVG units.
const (
	chartWidth  = 480.0
	chartHeight = 250.0
	chartLeft   = 52.0
	chartRight  = 12.0
	chartTop    = 26.0 // the legend stands above
	chartBottom = 34.0
	seriesMax   = 4 // as many as the page has colours and dashes
)

// chart is a drawing with its numbers, for reading without the drawing.
type chart struct {
	Title string
	SVG   template.HTML
	Table pageTable
}

// xy is a point of a line.
type xy struct{ x, y float64 }

// series is one line, or one bar of every group.
type series struct {
	name   string
	points []xy
}

// axes say how values become places.
type axes struct {
	x, y   string // labels
	xMax   float64
	yMax   float64
	logY   bool    // from yMin
	yMin   float64 // with logY
	xTicks []mark
	band   [2]float64 // of x, shaded; equal: none
	groups []string   // a bar chart's
}

// mark is a labelled place on an axis.
type mark struct {
	at    float64
	label string
}

func (a *axes) px(x float64) float64 {
	return chartLeft + x/a.xMax*(chartWidth-chartLeft-chartRight)
}

func (a *axes) py(y float64) float64 {
	share := y / a.yMax
	if a.logY {
		share = math.Log(max(y, a.yMin)/a.yMin) / math.Log(a.yMax/a.yMin)
	}
	return chartHeight - chartBottom - share*(chartHeight-chartTop-chartBottom)
}

// lines draws a line chart.
func lines(title string, a axes, all []series) chart {
	var b strings.Builder
	a.open(&b, title, all)
	for i, s := range all {
		var path strings.Builder
		for _, p := range s.points {
			fmt.Fprintf(&path, "%.1f,%.1f ", a.px(p.x), a.py(p.y))
		}
		fmt.Fprintf(&b, `<polyline class="l%d" points="%s"/>`, i+1, path.String())
		for _, p := range s.points {
			fmt.Fprintf(&b, `<circle class="hit" cx="%.1f" cy="%.1f" r="5"><title>%s: %s at %s %s</title></circle>`,
				a.px(p.x), a.py(p.y), escape(s.name), short(p.y), short(p.x), escape(a.x))
		}
	}
	return chart{Title: title, SVG: finish(&b), Table: tableOf(title, a.x, all, func(_ int, x float64) string { return short(x) })}
}

// bars draws groups of bars; the points of a series are its bars, in the order
// of the groups.
func bars(title string, a axes, all []series) chart {
	a.xMax = float64(len(a.groups))
	var b strings.Builder
	for i, g := range a.groups {
		a.xTicks = append(a.xTicks, mark{float64(i) + 0.5, g})
	}
	a.open(&b, title, all)
	width := 0.8 / float64(len(all))
	for i, s := range all {
		for g, p := range s.points {
			left := a.px(float64(g) + 0.1 + float64(i)*width)
			right := a.px(float64(g) + 0.1 + float64(i+1)*width)
			fmt.Fprintf(&b, `<rect class="b%d" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="2"><title>%s, %s: %s</title></rect>`,
				i+1, left+1, a.py(p.y), right-left-2, a.py(0)-a.py(p.y), escape(s.name), escape(a.groups[g]), short(p.y))
			fmt.Fprintf(&b, `<text class="label" text-anchor="middle" x="%.1f" y="%.1f">%s</text>`, (left+right)/2, a.py(p.y)-4, short(p.y))
		}
	}
	return chart{Title: title, SVG: finish(&b), Table: tableOf(title, a.x, all, func(row int, _ float64) string { return a.groups[row] })}
}

// open draws what every chart has: a name, a frame, marks and a legend.
func (a *axes) open(b *strings.Builder, title string, all []series) {
	if len(all) > seriesMax {
		panic(fmt.Sprintf("chart %q: %d series, want at most %d", title, len(all), seriesMax))
	}
	fmt.Fprintf(b, `<svg viewBox="0 0 %.0f %.0f" role="img" aria-label="%s">`, chartWidth, chartHeight, escape(title+"; the numbers are below"))
	if a.band[0] < a.band[1] {
		fmt.Fprintf(b, `<rect class="band" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`,
			a.px(a.band[0]), chartTop, a.px(a.band[1])-a.px(a.band[0]), chartHeight-chartTop-chartBottom)
	}
	for _, m := range a.yMarks() {
		y := a.py(m.at)
		fmt.Fprintf(b, `<line class="grid" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/><text text-anchor="end" x="%.1f" y="%.1f">%s</text>`,
			chartLeft, chartWidth-chartRight, y, y, chartLeft-6, y+4, m.label)
	}
	for _, m := range a.xTicks {
		fmt.Fprintf(b, `<text text-anchor="middle" x="%.1f" y="%.1f">%s</text>`, a.px(m.at), chartHeight-chartBottom+16, escape(m.label))
	}
	fmt.Fprintf(b, `<text text-anchor="end" x="%.1f" y="%.1f">%s</text>`, chartWidth-chartRight, chartHeight-4, escape(a.x))
	fmt.Fprintf(b, `<text x="2" y="12">%s</text>`, escape(a.y))
	x := chartLeft + 60
	for i, s := range all {
		fmt.Fprintf(b, `<rect class="b%d" x="%.1f" y="4" width="10" height="10" rx="2"/><text class="label" x="%.1f" y="13">%s</text>`, i+1, x, x+14, escape(s.name))
		x += 30 + 6.5*float64(len(s.name))
	}
}

func finish(b *strings.Builder) template.HTML {
	b.WriteString(`</svg>`)
	// Everything in it is a number of ours or went through escape.
	return template.HTML(b.String())
}

// yMarks are four to six round values, or powers of ten.
func (a *axes) yMarks() (marks []mark) {
	if a.logY {
		for v := a.yMin; v <= a.yMax*1.001; v *= 10 {
			marks = append(marks, mark{v, short(v)})
		}
		return marks
	}
	for v, step := 0.0, roundStep(a.yMax/5); v <= a.yMax*1.001; v += step {
		marks = append(marks, mark{v, short(v)})
	}
	return marks
}

// evenTicks are about n round marks from 0 to most.
func evenTicks(most float64, n int) (marks []mark) {
	for v, step := 0.0, roundStep(most/float64(n)); v <= most*1.001; v += step {
		marks = append(marks, mark{v, short(v)})
	}
	return marks
}

// roundStep is the next of 1, 2, 5 times a power of ten.
func roundStep(v float64) float64 {
	if v <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range [...]float64{1, 2, 5} {
		if v <= f*power*1.0001 {
			return f * power
		}
	}
	return 10 * power
}

// short is a number for people: 820, 21.4k, 0.35.
func short(v float64) string {
	switch {
	case v >= 99_950:
		return fmt.Sprintf("%.0fk", v/1e3)
	case v >= 1e4:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", v/1e3), ".0") + "k"
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	}
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", v), "0"), ".")
}

func escape(s string) string { return template.HTMLEscapeString(s) }

// pageTable is rows for people; columns of text are named in texts.
type pageTable struct {
	Name  string
	Head  []string
	Rows  [][]string
	texts []string
}

// Text reports whether a column holds text, for the template.
func (t pageTable) Text(head string) bool {
	for _, one := range t.texts {
		if one == head {
			return true
		}
	}
	return false
}

// TextAt is Text of the column i.
func (t pageTable) TextAt(i int) bool { return i < len(t.Head) && t.Text(t.Head[i]) }

// tableOf is a chart as rows: one per x.
func tableOf(name, x string, all []series, label func(row int, x float64) string) pageTable {
	t := pageTable{Name: name, Head: []string{x}}
	for _, s := range all {
		t.Head = append(t.Head, s.name)
	}
	if len(all) == 0 {
		return t
	}
	for i, p := range all[0].points {
		row := []string{label(i, p.x)}
		for _, s := range all {
			if i < len(s.points) {
				row = append(row, short(s.points[i].y))
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
