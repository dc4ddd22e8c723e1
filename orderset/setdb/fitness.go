package setdb

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/schema"
)

// checkMax bounds one question whether a server is fit.
const checkMax = 5 * time.Second

// downAfter is how many failures in a row, with no success between, make a SET
// a last choice for new envelopes.
const downAfter = 3

// health counts failures to reach a SET. It only orders the choices for sends;
// requests for envelopes that live in the SET are always tried.
type health struct{ failures atomic.Int32 }

func (h *health) failed() {
	if h.failures.Load() < downAfter {
		h.failures.Add(1)
	}
}

func (h *health) worked() {
	if h.failures.Load() != 0 {
		h.failures.Store(0)
	}
}

// Down reports whether the database has not answered several times in a row.
func (d *DB) Down() bool { return d.health.failures.Load() >= downAfter }

// Unfit is what keeps the SET from being served, although its server answers; nil
// when nothing is known to.
func (d *DB) Unfit() error { return d.current.Load().guard.Finding() }

// Check connects and is an *[mariadb.UnfitError] with everything that is wrong with
// the server: settings that make our promises untrue, another SET than its address
// says, tables of another version of this program. One that does not answer is a
// BusyError.
func (d *DB) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkMax)
	defer cancel()
	err := d.current.Load().pool.PingContext(ctx)
	if unfit, ok := errors.AsType[*mariadb.UnfitError](err); ok {
		return unfit
	}
	return d.Answer("check", err)
}

// examination asks for all that a server of the SET has to be, under the account
// that will use it. It reads the session, which is what our transactions get.
func examination(number envelope.SetNumber) func(context.Context, *sql.DB) error {
	return func(ctx context.Context, db *sql.DB) error {
		settings := mariadb.CheckSettings(ctx, db)
		place := checkNumber(ctx, db, number)
		if place == nil {
			place = schema.CheckSet(ctx, db, int(number))
		}
		var found, silent error
		for _, err := range []error{settings, place} {
			switch {
			case err == nil:
			case mariadb.Unavailable(err):
				silent = errors.Join(silent, err)
			default:
				found = errors.Join(found, fmt.Errorf("SET %v: %w", number, err))
			}
		}
		return cmp.Or(found, silent)
	}
}

const selectSetInfo = "SELECT set_number FROM set_info"

func checkNumber(ctx context.Context, db *sql.DB, want envelope.SetNumber) error {
	var number int
	if err := db.QueryRowContext(ctx, selectSetInfo).Scan(&number); err != nil {
		return fmt.Errorf("read set_info: %w", err)
	}
	if number != int(want) {
		return fmt.Errorf("the database says it is SET %03d; correct its address in the topology", number)
	}
	return nil
}
