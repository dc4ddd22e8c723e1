package schema

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strings"

	"hongbao/internal/mariadb"
)

var (
	// grantLine is one line of SHOW GRANTS: privileges, object, grant option.
	grantLine = regexp.MustCompile("^GRANT (.+) ON (\\S+) TO `[^`]*`@`[^`]*`.*?( WITH GRANT OPTION)?$")
	// quotedAccount is an account as MariaDB writes it in a PROXY before 10.11.15.
	quotedAccount = regexp.MustCompile("'([^'`]*)'@'([^'`]*)'")
	// ourObject is the object of any SET and of any shard of the books, in either
	// way of naming one.
	ourObject = regexp.MustCompile("^`hb\\\\?_([0-9]{3}|books\\\\?_[0-9]{2})`\\.\\*$")
)

// grants compares what the accounts may do with what they should. What an
// account may do in other databases of ours is for the verification of those.
func (v *verification) grants(ctx context.Context) error {
	speaks, err := dialectOf(ctx, v.conn)
	if err != nil {
		return err
	}
	ours := speaks.object(v.of.name)
	for _, a := range v.of.accounts {
		object := "account " + a.name()
		lines, err := v.column(ctx, "SHOW GRANTS FOR "+a.name())
		if mariadb.NoSuchAccount(err) {
			v.add(object, "an account", absent)
			continue
		}
		if err != nil {
			return fmt.Errorf("grants of %s: %w", a.name(), err)
		}
		want := map[string]string{"*.*": privilegeList(cmp.Or(a.server(speaks), "USAGE")), ours: privilegeList(a.tables)}
		v.compare(object+" on ", want, v.granted(lines))
	}
	return nil
}

// granted returns privileges by what they are for. MySQL has two lines for *.*, one
// of them for the privileges that plugins may add to.
func (v *verification) granted(lines []string) map[string]string {
	privileges, options := map[string]string{}, map[string]string{}
	for _, line := range lines {
		line = quotedAccount.ReplaceAllString(line, "`$1`@`$2`")
		m := grantLine.FindStringSubmatch(line)
		switch {
		case m == nil: // a role, a proxy: never ours
			privileges[line] = line
		case ourObject.MatchString(m[2]) && strings.ReplaceAll(m[2], `\`, "") != "`"+v.of.name+"`.*":
		case privileges[m[2]] != "" && privileges[m[2]] != "USAGE":
			privileges[m[2]] = privilegeList(privileges[m[2]] + "," + m[1])
			options[m[2]] += m[3]
		default:
			privileges[m[2]], options[m[2]] = privilegeList(m[1]), m[3]
		}
	}
	for object, option := range options {
		privileges[object] += option
	}
	return privileges
}
