package schema

import (
	"context"
	"crypto/sha1"
	"database/sql"
	"encoding/hex"
	"fmt"
	"strings"
)

// dialect is in what the servers differ, as far as accounts and grants go.
type dialect struct {
	mysql bool // MySQL, not MariaDB
	// literal is MySQL's partial_revokes: the database of a GRANT is then a name and no
	// pattern, so an escaped underscore would name a database that does not exist.
	literal bool
}

// dialectOf asks the server.
func dialectOf(ctx context.Context, conn *sql.Conn) (d dialect, err error) {
	var version string
	if err := conn.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil {
		return d, err
	}
	if d.mysql = !strings.Contains(version, "MariaDB"); d.mysql {
		err = conn.QueryRowContext(ctx, "SELECT @@GLOBAL.partial_revokes").Scan(&d.literal)
	}
	return d, err
}

// object names all tables of the database in a GRANT, where an underscore is a
// wildcard unless it is escaped: hb_003 would open hbx003, too.
func (d dialect) object(database string) string {
	if !d.literal {
		database = strings.ReplaceAll(database, "_", `\_`)
	}
	return "`" + database + "`.*"
}

// password is a password as IDENTIFIED WITH takes it, hashed as the server stores it.
func (d dialect) password(password string) string {
	if d.mysql {
		return fmt.Sprintf("caching_sha2_password AS 0x%X", cachingHash(password, randomSalt()))
	}
	return "mysql_native_password AS '" + nativeHash(password) + "'"
}

// nativeHash is how mysql_native_password stores a password.
func nativeHash(password string) string {
	once := sha1.Sum([]byte(password))
	twice := sha1.Sum(once[:])
	return "*" + strings.ToUpper(hex.EncodeToString(twice[:]))
}
