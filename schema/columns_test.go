package schema_test

import (
	"errors"
	"strings"
	"testing"

	"hongbao/schema"
)

// TestServiceAccountSeesTheVersion holds FS21: the program that serves can
// tell, by the account it serves under.
func TestServiceAccountSeesTheVersion(t *testing.T) {
	t.Run("what apply made is of this version", func(t *testing.T) {
		cfg := madeSet(t)
		if err := schema.CheckSet(t.Context(), as(t, cfg, cfg.Accounts.App), cfg.Set); err != nil {
			t.Error(err)
		}
		p := madeBooks(t)
		if err := schema.CheckBooks(t.Context(), p.as(t, p.Accounts.App), p.BookShard); err != nil {
			t.Error(err)
		}
	})
	for name, test := range map[string]struct{ plant, want string }{
		"a missing column":          {"ALTER TABLE {}.transfer DROP COLUMN hint", "{}.transfer `hint`: want varchar(1024) COLLATE ascii_bin NOT NULL, got absent"},
		"a column too many":         {"ALTER TABLE {}.outbox ADD note TEXT NOT NULL", "{}.outbox `note`: want absent, got text"},
		"a narrower integer":        {"ALTER TABLE {}.outbox MODIFY id INT NOT NULL AUTO_INCREMENT", "{}.outbox `id`: want bigint NOT NULL, got int NOT NULL"},
		"a value too few":           {"ALTER TABLE {}.pause MODIFY topic ENUM('outbox','charge') CHARACTER SET ascii COLLATE ascii_bin NOT NULL", "{}.pause `topic`: want enum('outbox','charge','book','event','transfer')"},
		"another collation":         {"ALTER TABLE {}.share_3_05 MODIFY user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_general_ci NOT NULL", "{}.share_3_05 `user_id`: want varchar(64) COLLATE ascii_bin NOT NULL"},
		"a column that may be NULL": {"ALTER TABLE {}.dispute MODIFY what VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL", "{}.dispute `what`: want varchar(255) COLLATE utf8mb4_bin NOT NULL, got"},
		"a missing table":           {"DROP TABLE {}.payout_batch", "{}.payout_batch: want a table, got absent"},
		"an old day table":          {"ALTER TABLE {}.envelope_7_31 DROP COLUMN group_id", "{}.envelope_7_31 `group_id`"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := madeSet(t)
			do(t, admin(t), in(cfg, test.plant))
			err := schema.CheckSet(t.Context(), as(t, cfg, cfg.Accounts.App), cfg.Set)
			outdated, ok := errors.AsType[*schema.OutdatedError](err)
			if !ok || len(outdated.Differences) != 1 || !strings.Contains(err.Error(), in(cfg, test.want)) {
				t.Errorf("got %v, want %s", err, in(cfg, test.want))
			}
		})
	}
}
