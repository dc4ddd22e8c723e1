package schema_test

import (
	"testing"

	"hongbao/schema"
)

func TestNamesAreThoseOfTheDesign(t *testing.T) {
	for got, want := range map[string]string{
		schema.DatabaseName(0):      "hb_000",
		schema.DatabaseName(3):      "hb_003",
		schema.DatabaseName(999):    "hb_999",
		schema.EnvelopeTable(7, 23): "envelope_7_23",
		schema.EnvelopeTable(0, 1):  "envelope_0_01",
		schema.ShareTable(9, 31):    "share_9_31",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// FH4: no table name is built of a number out of its range.
func TestNoTableNameIsOutOfRange(t *testing.T) {
	for _, place := range [][2]int{{-1, 5}, {10, 5}, {5, 0}, {5, -1}, {5, 32}} {
		for name, table := range map[string]func(int, int) string{"EnvelopeTable": schema.EnvelopeTable, "ShareTable": schema.ShareTable} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s(%d, %d) did not panic", name, place[0], place[1])
					}
				}()
				table(place[0], place[1])
			}()
		}
	}
}

// FH4: numbers out of range are refused before a statement is built.
func TestNumbersOutOfRangeReachNoStatement(t *testing.T) {
	db := admin(t)
	for _, set := range []int{-1, 1000} {
		cfg := newSet(t)
		cfg.Set = set
		if err := cfg.apply(t); err == nil {
			t.Errorf("SET %d was applied", set)
		}
		if err := schema.MakeDayTables(t.Context(), db, set, 5); err == nil {
			t.Errorf("SET %d got day tables", set)
		}
		if _, err := schema.VerifySet(t.Context(), db, cfg.Set, cfg.Accounts, nil); err == nil {
			t.Errorf("SET %d was verified", set)
		}
	}
	cfg := newSet(t)
	for _, day := range []int{0, 32} {
		if err := schema.MakeDayTables(t.Context(), db, cfg.Set, day); err == nil {
			t.Errorf("day %d got tables", day)
		}
		if _, err := schema.VerifySet(t.Context(), db, cfg.Set, cfg.Accounts, []int{day}); err == nil {
			t.Errorf("day %d was verified", day)
		}
	}
}
