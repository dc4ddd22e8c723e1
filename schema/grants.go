package schema

import (
	"cmp"
	"context"
	"crypto/sha1"
	"database/sql"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// What the accounts may do with the tables of their SET.
const (
	appPrivileges      = "SELECT, INSERT, UPDATE"
	migratorPrivileges = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, CREATE TEMPORARY TABLES"
	auditPrivileges    = "SELECT"
)

// arbiterPrivileges are those of the whole server that switching primaries
// takes, by MariaDB's names; MySQL 8 names them otherwise. Nobody else gets
// READ_ONLY ADMIN: who has it writes to a server that is read_only, and then
// read_only fences nothing.
const arbiterPrivileges = "REPLICATION SLAVE ADMIN, REPLICATION MASTER ADMIN, CONNECTION ADMIN, READ_ONLY ADMIN, BINLOG MONITOR, SLAVE MONITOR"

// account is one user and all it may do.
type account struct {
	Credential
	host   string
	server string // privileges on *.*; "" is none
	set    string // privileges on the tables of the SET
}

func (a Accounts) list() []account {
	host := cmp.Or(a.Host, "%")
	return []account{
		{a.App, host, "", appPrivileges},
		{a.Migrator, host, "", migratorPrivileges},
		{a.Audit, host, "", auditPrivileges},
		{a.Arbiter, host, arbiterPrivileges, auditPrivileges},
	}
}

// name is the account as statements name it. User and host were checked.
func (a account) name() string { return "'" + a.User + "'@'" + a.host + "'" }

// grantObject names all tables of a SET in a GRANT, where an underscore would
// be a wildcard and hb_003 would open hbx003, too.
func grantObject(set int) string {
	return "`" + strings.ReplaceAll(DatabaseName(set), "_", `\_`) + "`.*"
}

// statements make the account and give it its password and its grants.
func (a account) statements(set int) []string {
	template := []string{
		"CREATE USER IF NOT EXISTS {account} IDENTIFIED WITH mysql_native_password AS '{hash}'",
		"ALTER USER {account} IDENTIFIED WITH mysql_native_password AS '{hash}'",
		"GRANT {set privileges} ON {set} TO {account}",
	}
	if a.server != "" {
		template = append(template, "GRANT {server privileges} ON *.* TO {account}")
	}
	fill := strings.NewReplacer(
		"{account}", a.name(), "{hash}", nativeHash(a.Password), "{set}", grantObject(set),
		"{set privileges}", a.set, "{server privileges}", a.server)
	for i := range template {
		template[i] = fill.Replace(template[i])
	}
	return template
}

// nativeHash is how mysql_native_password stores a password. Sent in its place,
// it keeps the password itself out of binlogs and process lists.
func nativeHash(password string) string {
	once := sha1.Sum([]byte(password))
	twice := sha1.Sum(once[:])
	return "*" + strings.ToUpper(hex.EncodeToString(twice[:]))
}

func (p plan) makeAccounts(ctx context.Context, conn *sql.Conn) error {
	for _, a := range p.accounts.list() {
		for _, statement := range a.statements(p.set) {
			if _, err := conn.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("account %s: %w", a.name(), err)
			}
		}
	}
	return nil
}

// privilegeList brings a list of privileges into one order.
func privilegeList(list string) string {
	if list == "" {
		return ""
	}
	names := strings.Split(list, ", ")
	slices.Sort(names)
	return strings.Join(names, ", ")
}
