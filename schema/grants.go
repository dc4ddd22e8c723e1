package schema

import (
	"cmp"
	"slices"
	"strings"
)

// What the accounts may do with the tables of their databases.
const (
	appPrivileges      = "SELECT, INSERT, UPDATE"
	migratorPrivileges = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, CREATE TEMPORARY TABLES"
	auditPrivileges    = "SELECT"
)

// What switching primaries takes on the whole server. No other account gets what writes
// to a server that is read_only (READ_ONLY ADMIN, CONNECTION_ADMIN): then read_only
// would fence nothing.
const (
	arbiterOnMariaDB = "REPLICATION SLAVE ADMIN, REPLICATION MASTER ADMIN, CONNECTION ADMIN, READ_ONLY ADMIN, BINLOG MONITOR, SLAVE MONITOR"
	arbiterOnMySQL   = "CONNECTION_ADMIN, REPLICATION CLIENT, REPLICATION_SLAVE_ADMIN, SYSTEM_VARIABLES_ADMIN"
)

// account is one user and all it may do.
type account struct {
	Credential
	host    string
	arbiter bool   // it switches primaries
	tables  string // privileges on the tables of the database
}

// ofSet are the accounts that work on a SET.
func (a Accounts) ofSet() []account {
	host := cmp.Or(a.Host, "%")
	return []account{
		{a.App, host, false, appPrivileges},
		{a.Migrator, host, false, migratorPrivileges},
		{a.Audit, host, false, auditPrivileges},
		{a.Arbiter, host, true, auditPrivileges},
	}
}

// ofBooks are the accounts that work on the books.
func (a Accounts) ofBooks() []account {
	host := cmp.Or(a.Host, "%")
	return []account{
		{a.App, host, false, appPrivileges},
		{a.Audit, host, false, auditPrivileges},
	}
}

// name is the account as statements name it. User and host were checked.
func (a account) name() string { return "'" + a.User + "'@'" + a.host + "'" }

// server is what the account may do on the whole server; "" is nothing.
func (a account) server(d dialect) string {
	switch {
	case !a.arbiter:
		return ""
	case d.mysql:
		return arbiterOnMySQL
	}
	return arbiterOnMariaDB
}

// statements make the account and give it its password and its grants on the
// database. Sent in place of the password, its hash keeps the password itself out of
// binlogs and process lists.
func (a account) statements(d dialect, database string) []string {
	template := []string{
		"CREATE USER IF NOT EXISTS {account} IDENTIFIED WITH {password}",
		"ALTER USER {account} IDENTIFIED WITH {password}",
		"GRANT {privileges} ON {object} TO {account}",
	}
	if a.arbiter {
		template = append(template, "GRANT {server privileges} ON *.* TO {account}")
	}
	fill := strings.NewReplacer(
		"{account}", a.name(), "{password}", d.password(a.Password), "{object}", d.object(database),
		"{privileges}", a.tables, "{server privileges}", a.server(d))
	for i := range template {
		template[i] = fill.Replace(template[i])
	}
	return template
}

// privilegeList brings a list of privileges into one order.
func privilegeList(list string) string {
	if list == "" {
		return ""
	}
	names := strings.Split(list, ",") // MySQL leaves the space away for some
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
