package fill

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/layout"
	"hongbao/orderset/setdb"
)

// ceilingRows is how many rows one statement of the ceiling inserts.
const ceilingRows = 256

// InsertCeiling measures how many share rows a second this SET's server takes
// for d, in multi-row inserts of one connection that are rolled back in the end:
// no open can be faster. Its rows are of an envelope that cannot exist.
func InsertCeiling(ctx context.Context, number envelope.SetNumber, addr string, app mariadb.Account, d time.Duration) (rowsPerSecond float64, err error) {
	db, err := setdb.OpenPool(number, addr, app, 1)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	t := layout.DayTable{Day: envelope.DayOf(time.Now()).OfMonth()}
	rows := make([]layout.ShareRow, ceilingRows)
	for i := range rows {
		rows[i] = layout.ShareRow{ID: "00000000000000000000000", Share: envelope.Share{Seq: i + 1, User: envelope.UserID(fmt.Sprint("ceiling-", i)), Amount: 1}}
	}
	start, inserted := time.Now(), 0
	for time.Since(start) < d {
		err := db.DryRun(ctx, func(ctx context.Context, c *sql.Conn) error {
			var insert layout.Text
			t.InsertShares(&insert, rows)
			_, err := c.ExecContext(ctx, insert.String())
			return err
		})
		if err != nil {
			return 0, fmt.Errorf("insert ceiling: %w", err)
		}
		inserted += len(rows)
	}
	return float64(inserted) / time.Since(start).Seconds(), nil
}
