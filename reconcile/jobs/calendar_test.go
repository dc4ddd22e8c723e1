package jobs_test

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset"
	"hongbao/orderset/upkeep"
	"hongbao/reconcile/jobs"
)

// servers are the databases of every test in this package.
var servers settest.Servers

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

// migratorOf makes tables under the account that worlds give their migrator.
func migratorOf(t testing.TB, spec orderset.SetSpec) *upkeep.Maintainer {
	t.Helper()
	m, err := upkeep.Open(spec.Number, spec.Primary, orderset.Account{User: "migrator", Password: "migrator-test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// unreachable is a SET whose database is not there.
func unreachable(t testing.TB) orderset.SetSpec {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return orderset.SetSpec{Number: 998, Primary: l.Addr().String(), MachineBlock: -1}
}

func calendarOf(t testing.TB, now time.Time, sets ...*upkeep.Maintainer) jobs.Job {
	t.Helper()
	c, err := jobs.Calendar(sets, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// run is the error of one run.
func run(ctx context.Context, j jobs.Job) error {
	_, err := j.RunOnce(ctx)
	return err
}

// tablesOf counts the tables of a day of the month.
func tablesOf(t testing.TB, admin *sql.DB, day int) (n int) {
	t.Helper()
	const query = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name REGEXP ?"
	if err := admin.QueryRowContext(t.Context(), query, fmt.Sprintf("^(envelope|share)_[0-9]_%02d$", day)).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

const tablesOfADay = 20 // a pair for each digit

// inDays is so many days from now, at noon of the business day.
func inDays(n int) time.Time { return envelope.DayOf(time.Now()).Add(n).Start().Add(12 * time.Hour) }

func TestTheTablesOfTodayAndTomorrowAreMade(t *testing.T) {
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	today := inDays(10)
	days := func(ahead int) int { return envelope.DayOf(today).Add(ahead).OfMonth() }
	for ahead := -1; ahead <= 2; ahead++ {
		if n := tablesOf(t, admin, days(ahead)); n != 0 {
			t.Fatalf("day %d has %d tables already", days(ahead), n)
		}
	}
	c := calendarOf(t, today, migratorOf(t, w.Specs[0]))
	for range 2 { // the second time there is nothing to do
		if err := run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		for ahead, want := range map[int]int{-1: 0, 0: tablesOfADay, 1: tablesOfADay, 2: 0} {
			if n := tablesOf(t, admin, days(ahead)); n != want {
				t.Errorf("day %d has %d tables, want %d", days(ahead), n, want)
			}
		}
	}
}

// FD2: the calendar makes the next day at midnight in China, whatever the machine's zone.
func TestDayChangesAtMidnightInChina(t *testing.T) {
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	m := migratorOf(t, w.Specs[0])
	midnight := envelope.DayOf(inDays(10)).Start()
	losAngeles, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), calendarOf(t, midnight.Add(-time.Millisecond).In(losAngeles), m)); err != nil {
		t.Fatal(err)
	}
	first := envelope.DayOf(midnight)
	if n := tablesOf(t, admin, first.Add(1).OfMonth()); n != 0 || tablesOf(t, admin, first.OfMonth()) != tablesOfADay {
		t.Errorf("a millisecond before midnight, the day after tomorrow has %d tables", n)
	}
	if err := run(t.Context(), calendarOf(t, midnight.In(losAngeles), m)); err != nil {
		t.Fatal(err)
	}
	if n := tablesOf(t, admin, first.Add(1).OfMonth()); n != tablesOfADay {
		t.Errorf("at midnight, tomorrow has %d tables, want %d", n, tablesOfADay)
	}
}

// FD3: after the last day of a month the calendar makes the first of the next.
func TestMonthEndIsFollowedByTheFirst(t *testing.T) {
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	for _, c := range []struct {
		today     string
		dd, first int
	}{{"2026-04-30", 30, 1}, {"2027-02-28", 28, 1}, {"2028-02-28", 28, 29}, {"2028-02-29", 29, 1}, {"2026-12-31", 31, 1}} {
		day, err := envelope.ParseDay(c.today)
		if err != nil {
			t.Fatal(err)
		}
		if err := run(t.Context(), calendarOf(t, day.Start(), migratorOf(t, w.Specs[0]))); err != nil {
			t.Fatal(err)
		}
		if a, b := tablesOf(t, admin, c.dd), tablesOf(t, admin, c.first); a != tablesOfADay || b != tablesOfADay {
			t.Errorf("on %s, days %d and %d have %d and %d tables", c.today, c.dd, c.first, a, b)
		}
	}
}

func TestASETThatIsDownHoldsUpNoOther(t *testing.T) {
	w := servers.World(t, 2)
	today := inDays(10)
	c := calendarOf(t, today, migratorOf(t, w.Specs[0]), migratorOf(t, unreachable(t)), migratorOf(t, w.Specs[1]))
	err := run(t.Context(), c)
	if err == nil || strings.Count(err.Error(), "SET 998: tables of ") != 2 {
		t.Errorf("got %v, want both days of SET 998 named", err)
	}
	for i := range w.Specs {
		for ahead := range 2 {
			day := envelope.DayOf(today).Add(ahead)
			if n := tablesOf(t, w.Admin(t, i), day.OfMonth()); n != tablesOfADay {
				t.Errorf("SET %v has %d tables of %v", w.Specs[i].Number, n, day)
			}
		}
	}
}

// FC19: its rows are kept, too.
func TestMakingDaysWaitsForNoTransaction(t *testing.T) {
	w := servers.World(t, 1)
	e := w.Active(t, 0, envelope.Order{Total: 100, Count: 3})
	tx, err := w.Admin(t, 0).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	table := fmt.Sprintf("envelope_%d_%02d", e.ID.TableDigit(), e.ID.Day().OfMonth())
	if _, err := tx.ExecContext(t.Context(), "UPDATE "+table+" SET greeting = 'held' WHERE order_id = ?", e.ID); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := run(ctx, calendarOf(t, time.Now(), migratorOf(t, w.Specs[0]))); err != nil {
		t.Errorf("beside an open transaction: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Router.Find(t.Context(), e.ID); err != nil {
		t.Errorf("after the day was made again: %v", err)
	}
}

func TestARunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, calendarOf(t, time.Now(), migratorOf(t, unreachable(t)))); err == nil {
		t.Error("a run whose context had ended reported success")
	}
}

func TestACalendarNeedsSETsAndAClock(t *testing.T) {
	m := []*upkeep.Maintainer{migratorOf(t, unreachable(t))}
	for what, err := range map[string]error{
		"no SET":   second(jobs.Calendar[*upkeep.Maintainer](nil, time.Now)),
		"no clock": second(jobs.Calendar(m, nil)),
	} {
		if err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
}

func second(_ jobs.Job, err error) error { return err }
