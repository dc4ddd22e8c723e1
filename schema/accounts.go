package schema

import (
	"fmt"
	"regexp"
)

// userMax is the longest account name that MySQL 8 takes.
const userMax = 32

// Accounts are the four that work on a SET. Several SETs on one server may use
// the same ones.
type Accounts struct {
	Host string // where they may connect from; "" means "%"

	App      Credential // serves: SELECT, INSERT, UPDATE
	Migrator Credential // makes and empties day tables
	Audit    Credential // reads
	Arbiter  Credential // switches primaries
}

// Credential is an account's name and password.
type Credential struct {
	User     string // 1 to 32 of a-z, 0-9, _
	Password string // any, but not empty
}

// String leaves the password out of logs.
func (c Credential) String() string { return c.User }

var (
	userShape = regexp.MustCompile(fmt.Sprintf(`^[a-z0-9_]{1,%d}$`, userMax))
	hostShape = regexp.MustCompile(`^[A-Za-z0-9.:%_-]{1,60}$`)
)

// check refuses names that must not get into SQL.
func (a Accounts) check() error {
	if a.Host != "" && !hostShape.MatchString(a.Host) {
		return fmt.Errorf("accounts: host %q: does not match %v", a.Host, hostShape)
	}
	seen := map[string]bool{}
	for _, c := range []Credential{a.App, a.Migrator, a.Audit, a.Arbiter} {
		if !userShape.MatchString(c.User) {
			return fmt.Errorf("accounts: user %q: does not match %v", c.User, userShape)
		}
		if seen[c.User] {
			return fmt.Errorf("accounts: user %s has two roles: one account would hold both their grants", c.User)
		}
		seen[c.User] = true
	}
	return nil
}

// checkPasswords is apart from check, because to verify takes none.
func (a Accounts) checkPasswords() error {
	for _, c := range []Credential{a.App, a.Migrator, a.Audit, a.Arbiter} {
		if c.Password == "" {
			return fmt.Errorf("accounts: the password of %s is empty", c.User)
		}
	}
	return nil
}
