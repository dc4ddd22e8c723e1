package queue

import (
	"context"
	"testing"
)

// TestAnAnswerThatIsThereBeatsLeaving is the moment when a caller's context
// ends just after its answer has come: it hears the answer, not "unknown".
func TestAnAnswerThatIsThereBeatsLeaving(t *testing.T) {
	l, err := NewLane(LaneConfig{}, func(context.Context, []Item[string, int]) ([]Answer[int], error) { return nil, nil })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := l.cells.Get().(*cell[string, int, int])
	l.finish(c, Answer[int]{Res: 7})
	if err := l.leave(ctx, c); err != nil || c.answer.Res != 7 {
		t.Errorf("leaving: %v with the answer %d, want the answer 7", err, c.answer.Res)
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
