package receiver

import (
	"fmt"
	"strings"
	"testing"
)

// hearAll takes a life in shorthand: "active 1-2 finished2 refunded".
func hearAll(o *orderly, id, life string) {
	for word := range strings.FieldsSeq(life) {
		t := &content{}
		t.Data.EnvelopeID = id
		var first, last int
		switch {
		case word == "active":
			t.Type = typeActive
		case word == "refunded":
			t.Type = typeRefunded
		case strings.HasPrefix(word, "finished"):
			t.Type = typeFinished
			_, _ = fmt.Sscanf(word, "finished%d", &t.Data.OpenedCount)
		default:
			t.Type = typeOpened
			_, _ = fmt.Sscanf(word, "%d-%d", &first, &last)
			for seq := first; seq <= last; seq++ {
				t.Data.Shares = append(t.Data.Shares, share{Seq: seq})
			}
		}
		o.take(t)
	}
}

func TestWhatBreaksTheOrderOfALifeIsCounted(t *testing.T) {
	for life, want := range map[string]int{
		"active 1-1 2-4 finished4":                 0,
		"active 1-2 finished2 refunded":            0,
		"active 1-1 1-3 1-3 active finished3 2-3":  0, // told again
		"active finished0 refunded refunded":       0,
		"refunded":                                 0, // paid too late
		"3-4 5-5 finished5":                        0, // joined in its middle
		"1-1 active":                               1,
		"finished0 active":                         1,
		"active 2-2":                               1, // a gap
		"active 1-1 finished2":                     1,
		"active 1-1 finished1 2-2":                 1,
		"active 1-1 refunded finished1":            1,
		"active 1-1 3-3 finished3 4-4 refunded":    2,
		"active 5-4 1-1":                           1, // an event without shares
		"active 1-1 active 1-1 finished1 finished": 0,
	} {
		var o orderly
		hearAll(&o, "a", "active")
		hearAll(&o, "b", life)
		if o.disordered != want {
			t.Errorf("%s: %d out of order, want %d", life, o.disordered, want)
		}
	}
}

func TestEveryFactIsCountedOnce(t *testing.T) {
	var o orderly
	hearAll(&o, "a", "active 1-2 1-3 finished3 active finished3 refunded refunded")
	hearAll(&o, "b", "active 1-1")
	hearAll(&o, "c", "3-4 3-5")
	if want := (facts{Active: 2, Shares: 7, Finished: 1, Refunded: 1}); o.seen != want {
		t.Errorf("told %+v, want %+v", o.seen, want)
	}
}

func TestTheOldestCourseIsForgotten(t *testing.T) {
	var o orderly
	for i := range watchedMax + 3 {
		hearAll(&o, fmt.Sprint(i), "active")
	}
	if o.forgotten != 3 || len(o.courses) != watchedMax || o.courses["2"] != nil || o.courses["3"] == nil {
		t.Errorf("%d forgotten, %d watched", o.forgotten, len(o.courses))
	}
}
