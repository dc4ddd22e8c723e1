package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// BookShardMax is the last shard that a database name has digits for.
const BookShardMax = 99

// BookShard is one of the databases that hold users' books.
type BookShard struct {
	Number int // 0 to Of−1
	Of     int // how many there are, 1 to 100; fixed for a deployment
}

// BooksDatabaseName is where shard (0–99) of the users' books lives:
// "hb_books_07". Outside that it is the name of a database that ApplyBooks will
// not make.
func BooksDatabaseName(shard int) string { return fmt.Sprintf("hb_books_%02d", shard) }

func (s BookShard) check() error {
	if s.Of < 1 || s.Of > BookShardMax+1 {
		return fmt.Errorf("shard %d of %d: want 1 <= shards <= %d", s.Number, s.Of, BookShardMax+1)
	}
	if s.Number < 0 || s.Number >= s.Of {
		return fmt.Errorf("shard %d of %d: want 0 <= shard < %d", s.Number, s.Of, s.Of)
	}
	return nil
}

// booksDatabase is the database of a shard that was checked.
func booksDatabase(shard BookShard, accounts []account) database {
	name := BooksDatabaseName(shard.Number)
	return database{
		name: name,
		fill: strings.NewReplacer("{database}", name, "{shard}", strconv.Itoa(shard.Number), "{shards}", strconv.Itoa(shard.Of)),
		mark: mark{
			table: bookInfo(),
			place: fmt.Sprintf("shard %d of %d", shard.Number, shard.Of),
			read:  "SELECT environment, CONCAT('shard ', shard_number, ' of ', shard_count) FROM {database}.book_info",
			insert: `INSERT INTO {database}.book_info (shard_number, shard_count, environment, cluster_uuid)
				VALUES ({shard}, {shards}, ?, UUID()) ON DUPLICATE KEY UPDATE shard_number = shard_number`,
		},
		tables:   bookTables(),
		accounts: accounts,
	}
}

// ApplyBooks makes the database of one shard of the users' books: its tables,
// and the accounts App and Audit with their grants there. What is there already
// stays; passwords become those of accounts.
//
// environment (1 to 16 lower-case letters), the shard and their number mark the
// database for good. db is an administrator's connection, without a database. A
// database marked otherwise is an error and is not touched.
func ApplyBooks(ctx context.Context, db *sql.DB, shard BookShard, accounts Accounts, environment string) error {
	err := errors.Join(shard.check(), checkEnvironment(environment), accounts.check(), accounts.checkPasswords())
	if err != nil {
		return fmt.Errorf("schema of the books: %w", err)
	}
	d := booksDatabase(shard, accounts.ofBooks())
	err = inSession(ctx, db, func(conn *sql.Conn) error { return d.apply(ctx, conn, environment) })
	if err != nil {
		return fmt.Errorf("schema of %s: %w", d.name, err)
	}
	return nil
}

// VerifyBooks compares the database of one shard with what ApplyBooks would have
// made. Of accounts it needs no passwords. db is an administrator's connection;
// nothing is changed. Nil means no difference.
func VerifyBooks(ctx context.Context, db *sql.DB, shard BookShard, accounts Accounts) ([]Difference, error) {
	if err := errors.Join(shard.check(), accounts.check()); err != nil {
		return nil, fmt.Errorf("verify the books: %w", err)
	}
	return booksDatabase(shard, accounts.ofBooks()).verify(ctx, db)
}
