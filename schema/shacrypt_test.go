package schema

import (
	"encoding/hex"
	"testing"
)

// TestPasswordsAreHashedAsSpecified has checksums of OpenSSL's passwd -5.
func TestPasswordsAreHashedAsSpecified(t *testing.T) {
	for _, v := range []struct {
		password, salt string
		rounds         int
		want           string
	}{
		{"Hello world!", "saltstring", 5000, "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"},
		{"Hello world!", "saltstringsaltst", 10000, "3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA"},
		{"the minimum number is still observed", "roundstoolow12", 5000, "2hPIo9XIqxB./uf6t5O8hjRfkQtRSREiZSsC0btT1L6"},
		{"a very much longer text to encrypt.  This one even stretches over morethan one line.", "abcdefghijklmnop", 5000, "1l6/YiOVdxBt8dPEfKf1qnQ9r/LHYoUSOmd2YGNo050"},
		{"密码", "x", 5000, "FDhWJ14aGGjjsVeBHht56wayuFQeV6wcDHKenRqy5PA"},
	} {
		if got := shaCrypt([]byte(v.password), []byte(v.salt), v.rounds); got != v.want {
			t.Errorf("%q with %q: %s, want %s", v.password, v.salt, got, v.want)
		}
	}
}

// TestPasswordsAreHashedAsMySQLDoes has what MySQL 9.7.4 stored for IDENTIFIED BY, with
// salts of 20 bytes.
func TestPasswordsAreHashedAsMySQLDoes(t *testing.T) {
	for password, stored := range map[string]string{
		"app-test": "244124303041245C37483C2A3E1C3F041063070113381164036F054844624A4E77564B62707930376653332F3678727038475838486B7755353468536B4339556942444A4542",
		"密码 with blanks, and longer than any block of SHA-256 is by itself, so that it wraps": "244124303041243072196B5957673B4B3468424C584C640D61782657566C723556364B664E65314C75373234654E664539646A6B744E4A665559655653437A462F414B506A33",
	} {
		raw, err := hex.DecodeString(stored)
		if err != nil {
			t.Fatal(err)
		}
		const prefix = "$A$00A$"
		salt := string(raw[len(prefix) : len(prefix)+saltBytes])
		if got := cachingHash(password, salt); got != string(raw) {
			t.Errorf("%s: %x, want %x", password, got, raw)
		}
	}
	if one, two := randomSalt(), randomSalt(); len(one) != saltBytes || one == two {
		t.Errorf("salts %q and %q", one, two)
	}
}
