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

func (s BookShard) database() string { return BooksDatabaseName(s.Number) }

// bookInfo is the table that says what the database is.
func bookInfo() table { return table{"book_info", "book_info.sql"} }

// bookTables are all tables of a shard.
func bookTables() []table {
	return []table{
		bookInfo(),
		{"received", "book_received.sql"},
		{"sent", "book_sent.sql"},
		{"summary", "book_summary.sql"},
	}
}

// create is the statement that makes a table of the shard.
func (s BookShard) create(t table) (string, error) {
	text, err := files.ReadFile("sql/" + t.file)
	if err != nil {
		return "", err
	}
	return strings.NewReplacer(
		"{database}", s.database(), "{table}", t.name, "{shard}", strconv.Itoa(s.Number), "{shards}", strconv.Itoa(s.Of),
	).Replace(string(text)), nil
}

// ApplyBooks makes the database of one shard of the users' books: its tables,
// and the accounts App and Audit with their grants there. What is there already
// stays; passwords become those of accounts.
//
// environment (1 to 16 lower-case letters), the shard and their number mark the
// database for good. db is an administrator's connection, without a database. A
// database marked otherwise is an error and is not touched.
func ApplyBooks(ctx context.Context, db *sql.DB, shard BookShard, accounts Accounts, environment string) error {
	p := bookPlan{shard: shard, accounts: accounts, environment: environment}
	if err := p.check(); err != nil {
		return fmt.Errorf("schema of the books: %w", err)
	}
	err := inSession(ctx, db, func(conn *sql.Conn) error { return p.apply(ctx, conn) })
	if err != nil {
		return fmt.Errorf("schema of %s: %w", shard.database(), err)
	}
	return nil
}

// bookPlan is what one shard's database is to be.
type bookPlan struct {
	shard       BookShard
	accounts    Accounts
	environment string
}

func (p bookPlan) check() error {
	if !environmentShape.MatchString(p.environment) {
		return fmt.Errorf("environment %q: does not match %v", p.environment, environmentShape)
	}
	return errors.Join(p.shard.check(), p.accounts.check(), p.accounts.checkPasswords())
}

// apply makes the mark before anything that it might forbid.
func (p bookPlan) apply(ctx context.Context, conn *sql.Conn) error {
	const create = "CREATE DATABASE IF NOT EXISTS {database} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
	if _, err := conn.ExecContext(ctx, strings.ReplaceAll(create, "{database}", p.shard.database())); err != nil {
		return fmt.Errorf("create database: %w", err)
	}
	if err := p.mark(ctx, conn); err != nil {
		return err
	}
	if err := p.makeTables(ctx, conn, bookTables()); err != nil {
		return err
	}
	for _, a := range p.accounts.ofBooks() {
		for _, statement := range a.bookStatements(p.shard) {
			if _, err := conn.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("account %s: %w", a.name(), err)
			}
		}
	}
	return nil
}

func (p bookPlan) makeTables(ctx context.Context, conn *sql.Conn, tables []table) error {
	for _, t := range tables {
		create, err := p.shard.create(t)
		if err != nil {
			return err
		}
		if _, err := conn.ExecContext(ctx, create); err != nil {
			return fmt.Errorf("create %s: %w", t.name, err)
		}
	}
	return nil
}

// mark writes what the database is for, or compares what was written before.
func (p bookPlan) mark(ctx context.Context, conn *sql.Conn) error {
	if err := p.makeTables(ctx, conn, []table{bookInfo()}); err != nil {
		return err
	}
	name := strings.NewReplacer("{database}", p.shard.database())
	read := name.Replace("SELECT environment, shard_count FROM {database}.book_info WHERE shard_number = ?")
	var environment string
	var shards int
	err := conn.QueryRowContext(ctx, read, p.shard.Number).Scan(&environment, &shards)
	if errors.Is(err, sql.ErrNoRows) {
		insert := name.Replace(`INSERT INTO {database}.book_info (shard_number, shard_count, environment, cluster_uuid)
			VALUES (?, ?, ?, UUID())`)
		_, err = conn.ExecContext(ctx, insert, p.shard.Number, p.shard.Of, p.environment)
		environment, shards = p.environment, p.shard.Of
	}
	if err != nil {
		return fmt.Errorf("book_info: %w", err)
	}
	if environment != p.environment || shards != p.shard.Of {
		return fmt.Errorf("the database is marked %q, one of %d shards, not %q, one of %d: nothing was changed",
			environment, shards, p.environment, p.shard.Of)
	}
	return nil
}

// ofBooks are the accounts that work on books, with what they may do there.
func (a Accounts) ofBooks() []account {
	var some []account
	for _, one := range a.list() {
		if one.User == a.App.User || one.User == a.Audit.User {
			some = append(some, one)
		}
	}
	return some
}

// bookObject names all tables of a shard in a GRANT, where an underscore would
// be a wildcard.
func bookObject(shard BookShard) string {
	return "`" + strings.ReplaceAll(shard.database(), "_", `\_`) + "`.*"
}

// bookStatements make the account and give it its password and its grants.
func (a account) bookStatements(shard BookShard) []string {
	fill := strings.NewReplacer(
		"{account}", a.name(), "{hash}", nativeHash(a.Password), "{object}", bookObject(shard), "{privileges}", a.set)
	return []string{
		fill.Replace("CREATE USER IF NOT EXISTS {account} IDENTIFIED WITH mysql_native_password AS '{hash}'"),
		fill.Replace("ALTER USER {account} IDENTIFIED WITH mysql_native_password AS '{hash}'"),
		fill.Replace("GRANT {privileges} ON {object} TO {account}"),
	}
}
