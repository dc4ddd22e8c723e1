package schema

import (
	"cmp"
	"context"
	"fmt"
	"regexp"

	"hongbao/internal/mariadb"
)

var (
	// grantLine is one line of SHOW GRANTS: privileges, object, grant option.
	grantLine = regexp.MustCompile("^GRANT (.+) ON (\\S+) TO `[^`]*`@`[^`]*`.*?( WITH GRANT OPTION)?$")
	// ourObject is the object of any SET and of any shard of the books.
	ourObject = regexp.MustCompile("^`hb\\\\_([0-9]{3}|books\\\\_[0-9]{2})`\\.\\*$")
)

// grants compares what the accounts may do with what they should. What an
// account may do in other databases of ours is for the verification of those.
func (v *verification) grants(ctx context.Context) error {
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
		want := map[string]string{"*.*": privilegeList(cmp.Or(a.server, "USAGE")), v.of.object(): privilegeList(a.tables)}
		v.compare(object+" on ", want, v.granted(lines))
	}
	return nil
}

// granted returns privileges by what they are for.
func (v *verification) granted(lines []string) map[string]string {
	privileges := map[string]string{}
	for _, line := range lines {
		m := grantLine.FindStringSubmatch(line)
		switch {
		case m == nil: // a role, a proxy: never ours
			privileges[line] = line
		case ourObject.MatchString(m[2]) && m[2] != v.of.object():
		default:
			privileges[m[2]] = privilegeList(m[1]) + m[3]
		}
	}
	return privileges
}
