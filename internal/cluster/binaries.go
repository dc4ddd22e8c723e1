package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// InstallCommand installs both servers on Debian and its relatives.
const InstallCommand = "apt-get install -y mariadb-server-core memcached"

// MissingError says that a server program is not installed, and what to do.
type MissingError struct {
	Program  string // "mariadbd"
	Variable string // the environment variable that may name it
	Looked   string // where it is not
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s is missing (looked at %s): run %s, or set $%s to its path",
		e.Program, e.Looked, InstallCommand, e.Variable)
}

// Database is a program that serves databases.
type Database struct {
	Path  string
	MySQL bool // it is MySQL's mysqld, not mariadbd
}

// The environment variables that name a database server.
const (
	mariadbVariable = "HONGBAO_MARIADBD"
	mysqlVariable   = "HONGBAO_MYSQLD"
)

// FindDatabase returns the program that databases are started with: $HONGBAO_MYSQLD,
// which is a MySQL server, or $HONGBAO_MARIADBD, or the mariadbd on PATH, or the one
// in /usr/sbin, where Debian puts it and a user's PATH does not reach. It is a
// *MissingError if there is none.
func FindDatabase() (Database, error) {
	if os.Getenv(mysqlVariable) == "" {
		path, err := findServer("mariadbd", mariadbVariable)
		return Database{Path: path}, err
	}
	if os.Getenv(mariadbVariable) != "" {
		return Database{}, fmt.Errorf("both $%s and $%s name a server: unset one", mysqlVariable, mariadbVariable)
	}
	path, err := findServer("mysqld", mysqlVariable)
	return Database{Path: path, MySQL: true}, err
}

// versionMax bounds how long a program may take to say its version.
const versionMax = 10 * time.Second

// String is what the program says of its version, and where it is.
func (d Database) String() string {
	ctx, cancel := context.WithTimeout(context.Background(), versionMax)
	defer cancel()
	said, err := exec.CommandContext(ctx, d.Path, "--version").Output()
	if err != nil {
		return fmt.Sprintf("%s (%v)", d.Path, err)
	}
	_, version, _ := strings.Cut(strings.TrimSpace(string(said)), "Ver ")
	version, _, _ = strings.Cut(version, " for ")
	if d.MySQL {
		version += "-MySQL"
	}
	return fmt.Sprintf("%s (%s)", version, d.Path)
}

// FindMemcached is FindDatabase for memcached and $HONGBAO_MEMCACHED.
func FindMemcached() (string, error) { return findServer("memcached", "HONGBAO_MEMCACHED") }

func findServer(program, variable string) (string, error) {
	if path := os.Getenv(variable); path != "" {
		// A program that is named is the one that is wanted, not a substitute.
		found, err := exec.LookPath(path)
		if err != nil {
			return "", &MissingError{Program: program, Variable: variable, Looked: "$" + variable + " = " + path}
		}
		return filepath.Abs(found)
	}
	for _, name := range []string{program, filepath.Join("/usr/sbin", program)} {
		if found, err := exec.LookPath(name); err == nil {
			return found, nil
		}
	}
	return "", &MissingError{Program: program, Variable: variable, Looked: "PATH and /usr/sbin"}
}

// userArgs makes a server that would give up root stay root, when we are root:
// a child that changes its user escapes Pdeathsig and would outlive us.
func userArgs() []string {
	if os.Geteuid() != 0 {
		return nil
	}
	return []string{"--user=root"} // mariadbd, mysqld and memcached spell it so
}
