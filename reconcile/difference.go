package reconcile

import "strings"

// Difference is one way in which two books disagree, or one book with its own
// rules.
type Difference struct {
	Rule string `json:"rule"`           // what must hold
	Key  string `json:"key"`            // the number, order or user that it is about
	Want string `json:"want,omitempty"` // "" where the rule says it
	Have string `json:"have"`
}

func (d Difference) String() string {
	var b strings.Builder
	b.WriteString(d.Rule)
	if d.Key != "" {
		b.WriteString(" " + d.Key)
	}
	b.WriteString(": ")
	if d.Want != "" {
		b.WriteString("want " + d.Want + ", have ")
	}
	b.WriteString(d.Have)
	return b.String()
}

// DifferencesMax bounds what one comparison reports: a thousand are as bad as
// more.
const DifferencesMax = 1000

// Found collects differences up to the bound. Its zero value is empty.
type Found []Difference

// Add takes one more.
func (f *Found) Add(d Difference) {
	if len(*f) < DifferencesMax {
		*f = append(*f, d)
	}
}
