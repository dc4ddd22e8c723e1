package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hongbao/orderset"
	"hongbao/orderset/upkeep"
	"hongbao/reconcile/jobs"
)

// scheduled runs a calendar in a bubble of its own, where hours pass at once.
// at is called at the start of every run, which then finds no SET. It returns
// what was logged.
func scheduled(t *testing.T, at func(run int), test func(stop context.CancelFunc, stopped <-chan struct{})) string {
	t.Helper()
	spec := unreachable(t)
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, nil))
	synctest.Test(t, func(t *testing.T) {
		m, err := upkeep.Open(spec.Number, spec.Primary, orderset.Account{User: "nobody"})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		run := 0
		now := func() time.Time {
			run++
			at(run)
			return time.Now()
		}
		c, err := jobs.Calendar([]*upkeep.Maintainer{m}, now)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			if err := jobs.Run(ctx, []jobs.Job{c}, log); err != nil {
				t.Error(err)
			}
		}()
		test(stop, stopped)
		stop()
		<-stopped
	})
	return text.String()
}

func TestCalendarRunsOffTheFullHour(t *testing.T) {
	var minutes []int
	log := scheduled(t, func(int) { minutes = append(minutes, time.Now().Minute()) }, func(context.CancelFunc, <-chan struct{}) {
		time.Sleep(4 * time.Hour)
	})
	if !slices.Equal(minutes, []int{7, 7, 7, 7}) {
		t.Errorf("in four hours it ran at the minutes %v, want the seventh of each", minutes)
	}
	if strings.Count(log, `level=ERROR msg="job fails; it is run again at its times" name=calendar`) != 1 {
		t.Errorf("four failures in a row are not one line of the log:\n%s", log)
	}
}

func TestAJobThatPanicsRunsAgain(t *testing.T) {
	runs := 0
	log := scheduled(t, func(run int) {
		runs = run
		if run <= 2 {
			panic("the first two runs panic")
		}
	}, func(context.CancelFunc, <-chan struct{}) { time.Sleep(4 * time.Hour) })
	if runs != 4 {
		t.Errorf("it ran %d times in four hours, want 4", runs)
	}
	if strings.Count(log, "the first two runs panic") < 2 {
		t.Errorf("the panics are not in the log:\n%s", log)
	}
}

func TestAJobThatTakesLongIsNotStartedTwice(t *testing.T) {
	var starts []string
	scheduled(t, func(run int) {
		starts = append(starts, time.Now().UTC().Format("15:04"))
		if run == 1 {
			time.Sleep(150 * time.Minute)
		}
	}, func(context.CancelFunc, <-chan struct{}) { time.Sleep(5 * time.Hour) })
	if !slices.Equal(starts, []string{"00:07", "03:07", "04:07"}) {
		t.Errorf("it started at %v, want 00:07, then 03:07 and 04:07", starts)
	}
}

func TestRunReturnsAfterTheRunningJob(t *testing.T) {
	ended := false
	scheduled(t, func(int) {
		time.Sleep(30 * time.Minute)
		ended = true
	}, func(stop context.CancelFunc, stopped <-chan struct{}) {
		time.Sleep(10 * time.Minute)
		stop()
		select {
		case <-stopped:
			t.Error("it returned while the job was running")
		case <-time.After(10 * time.Minute):
		}
		<-stopped
		if !ended {
			t.Error("it returned before the job ended")
		}
	})
}

func TestJobResultAndRecoveryAreLogged(t *testing.T) {
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, nil))
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		j := jobs.Job{Name: "count", Schedule: "@every 1m", RunOnce: func(context.Context) (jobs.Result, error) {
			if runs++; runs < 3 {
				return jobs.Result{}, errors.New("not yet")
			}
			return jobs.Result{Count: runs, What: "runs"}, nil
		}}
		ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute+time.Second)
		defer stop()
		if err := jobs.Run(ctx, []jobs.Job{j}, log); err != nil {
			t.Error(err)
		}
	})
	for want, times := range map[string]int{
		`msg=job name=count count=3 what=runs`:               1,
		`msg="job is done again" name=count failures=2`:      1,
		`msg="job fails; it is run again at its times" name`: 1,
	} {
		if strings.Count(text.String(), want) != times {
			t.Errorf("want %d lines of %q in\n%s", times, want, text.String())
		}
	}
}

func TestAJobWithoutAScheduleIsRefused(t *testing.T) {
	err := jobs.Run(t.Context(), []jobs.Job{{Name: "never", Schedule: "now and then"}}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), `job never: schedule "now and then"`) {
		t.Errorf("accepted: %v", err)
	}
}
