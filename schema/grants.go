package schema

import (
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"slices"
	"strings"
)

// What the accounts may do with the tables of their databases.
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
	tables string // privileges on the tables of the database
}

// ofSet are the accounts that work on a SET.
func (a Accounts) ofSet() []account {
	host := cmp.Or(a.Host, "%")
	return []account{
		{a.App, host, "", appPrivileges},
		{a.Migrator, host, "", migratorPrivileges},
		{a.Audit, host, "", auditPrivileges},
		{a.Arbiter, host, arbiterPrivileges, auditPrivileges},
	}
}

// ofBooks are the accounts that work on the books.
func (a Accounts) ofBooks() []account {
	host := cmp.Or(a.Host, "%")
	return []account{
		{a.App, host, "", appPrivileges},
		{a.Audit, host, "", auditPrivileges},
	}
}

// name is the account as statements name it. User and host were checked.
func (a account) name() string { return "'" + a.User + "'@'" + a.host + "'" }

// statements make the account and give it its password and its grants, object
// being the database.
func (a account) statements(object string) []string {
	template := []string{
		"CREATE USER IF NOT EXISTS {account} IDENTIFIED WITH mysql_native_password AS '{hash}'",
		"ALTER USER {account} IDENTIFIED WITH mysql_native_password AS '{hash}'",
		"GRANT {privileges} ON {object} TO {account}",
	}
	if a.server != "" {
		template = append(template, "GRANT {server privileges} ON *.* TO {account}")
	}
	fill := strings.NewReplacer(
		"{account}", a.name(), "{hash}", nativeHash(a.Password), "{object}", object,
		"{privileges}", a.tables, "{server privileges}", a.server)
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

// privilegeList brings a list of privileges into one order.
func privilegeList(list string) string {
	if list == "" {
		return ""
	}
	names := strings.Split(list, ", ")
	slices.Sort(names)
	return strings.Join(names, ", ")
}
