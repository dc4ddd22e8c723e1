package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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

// FindMariaDB returns the path of mariadbd: $HONGBAO_MARIADBD, or the one on
// PATH, or the one in /usr/sbin, where Debian puts it and a user's PATH does
// not reach. It is a *MissingError if there is none.
func FindMariaDB() (string, error) { return findServer("mariadbd", "HONGBAO_MARIADBD") }

// FindMemcached is FindMariaDB for memcached and $HONGBAO_MEMCACHED.
func FindMemcached() (string, error) { return findServer("memcached", "HONGBAO_MEMCACHED") }

func findServer(program, variable string) (string, error) {
	if path := os.Getenv(variable); path != "" {
		// Whoever names a program wants that one, not a substitute.
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
	return []string{"--user=root"} // mariadbd and memcached both spell it so
}
