package orderset

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/schema"
)

// CheckSettings connects and is an *[mariadb.UnfitError] with everything that is
// wrong with the server: settings that make our promises untrue, another SET than
// its address says, tables of another version of this program. One that does not
// answer is a BusyError.
func (s *Set) CheckSettings(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startupTryMax)
	defer cancel()
	err := s.db.PingContext(ctx)
	if unfit, ok := errors.AsType[*mariadb.UnfitError](err); ok {
		return unfit
	}
	return s.answer("check", err)
}

// Unfit is what keeps the SET from being served, although its server answers; nil
// when nothing is known to.
func (s *Set) Unfit() error { return s.guard.Finding() }

// fitness writes to the log what the guard found, once each time it changes.
func (s *Set) fitness(finding error) {
	if finding != nil {
		s.log.Error("a SET is not served: its database is unfit", "set", s.number, "error", finding)
		return
	}
	s.log.Info("a SET is served: its database is fit", "set", s.number)
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

// newGuard is one that keeps what it found to itself.
func newGuard(number envelope.SetNumber) *mariadb.Guard {
	return mariadb.NewGuard(mariadb.GuardConfig{Examine: examination(number), Changed: func(error) {}})
}

// Examine connects to a SET that nothing is served from yet, under both accounts:
// its error names everything that is wrong.
func Examine(ctx context.Context, spec SetSpec, app, migrator Account) error {
	ctx, cancel := context.WithTimeout(ctx, startupTryMax)
	defer cancel()
	for _, account := range []Account{app, migrator} {
		db, err := newGuard(spec.Number).Open(poolConfig(spec, account), 1)
		if err != nil {
			return fmt.Errorf("SET %v: %w", spec.Number, err)
		}
		err = db.PingContext(ctx)
		if closeErr := db.Close(); err == nil {
			err = closeErr
		}
		if unfit, ok := errors.AsType[*mariadb.UnfitError](err); ok {
			return unfit
		}
		if err != nil {
			return fmt.Errorf("SET %v: unavailable as %s: %w", spec.Number, account.User, err)
		}
	}
	return nil
}
