package mariadb

import (
	"context"
	"crypto/tls"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/go-sql-driver/mysql"
)

// explained is a connector whose errors name the setting that puts them right. A
// server that refuses our account or our encryption answers and cannot be used: it
// is unfit, which a start refuses and a request hears as unavailable.
type explained struct {
	driver.Connector
	encrypted bool
}

// Connect implements [driver.Connector].
func (c explained) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, explain(err, c.encrypted)
	}
	return conn, nil
}

func explain(err error, encrypted bool) error {
	certificate, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	switch n := number(err); {
	case n == errInsecureTransport:
		return &UnfitError{fmt.Errorf("the server takes encrypted connections only, set databases.tls: %w", err)}
	case n == errAccessDenied && !encrypted:
		// MariaDB says so of an unencrypted connection, too.
		return &UnfitError{fmt.Errorf("the password is wrong, or the server takes encrypted connections only, which databases.tls makes: %w", err)}
	case n == errAccessDenied, n == errPasswordExpired:
		return &UnfitError{err}
	case errors.Is(err, mysql.ErrNoTLS):
		return &UnfitError{fmt.Errorf("the server does not encrypt and databases.tls demands it: %w", err)}
	case untrusted:
		return &UnfitError{fmt.Errorf("databases.tls: the server's certificate is refused: %w", certificate)}
	}
	return err
}
