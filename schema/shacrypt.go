package schema

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
)

const (
	// cachingRounds is how often caching_sha2_password hashes, as MySQL 9 does by
	// default; behind $A$ it stands in thousands.
	cachingRounds = 10_000
	saltBytes     = 20

	// cryptAlphabet is that of crypt(3), which is not base64's.
	cryptAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// cachingHash is how caching_sha2_password stores a password: SHA-crypt over SHA-256
// (Drepper, "Unix crypt using SHA-256 and SHA-512") with a salt of 20 bytes, of which
// crypt(3) and the libraries for it would take 16.
func cachingHash(password, salt string) string {
	return fmt.Sprintf("$A$%03X$%s%s", cachingRounds/1000, salt, shaCrypt([]byte(password), []byte(salt), cachingRounds))
}

// randomSalt is a new salt of letters.
func randomSalt() string {
	salt := make([]byte, saltBytes)
	rand.Read(salt) // never fails: crypto/rand ends the program instead
	for i, b := range salt {
		salt[i] = cryptAlphabet[b%64]
	}
	return string(salt)
}

// shaCrypt is the checksum of SHA-crypt, in crypt(3)'s letters. The comments give the
// steps of the specification.
func shaCrypt(password, salt []byte, rounds int) string {
	b := digest(password, salt, password) // 4–8
	a := [][]byte{password, salt, repeated(b, len(password))}
	for n := len(password); n > 0; n >>= 1 { // 11
		if n&1 == 1 {
			a = append(a, b)
		} else {
			a = append(a, password)
		}
	}
	c := digest(a...)
	p := repeated(digest(times(password, len(password))...), len(password)) // 13–16
	s := repeated(digest(times(salt, 16+int(c[0]))...), len(salt))          // 17–20
	for i := range rounds {                                                 // 21
		first, last := c, p
		if i&1 == 1 {
			first, last = p, c
		}
		step := [][]byte{first}
		if i%3 != 0 {
			step = append(step, s)
		}
		if i%7 != 0 {
			step = append(step, p)
		}
		c = digest(append(step, last)...)
	}
	return letters(c)
}

func digest(parts ...[]byte) []byte {
	h := sha256.New()
	for _, part := range parts {
		h.Write(part)
	}
	return h.Sum(nil)
}

// times is b, n times.
func times(b []byte, n int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = b
	}
	return all
}

// repeated is b over and over, n bytes of it.
func repeated(b []byte, n int) []byte {
	all := make([]byte, n)
	for i := range all {
		all[i] = b[i%len(b)]
	}
	return all
}

// letters writes a digest in crypt(3)'s order: three bytes, a third of the digest
// apart and turned by one with each group, become four letters (22).
func letters(c []byte) string {
	var out []byte
	write := func(b2, b1, b0 byte, n int) {
		for w := uint(b2)<<16 | uint(b1)<<8 | uint(b0); n > 0; n, w = n-1, w>>6 {
			out = append(out, cryptAlphabet[w&0x3f])
		}
	}
	i, j, k := 0, 10, 20
	for range 10 {
		write(c[i], c[j], c[k], 4)
		i, j, k = k+1, i+1, j+1
	}
	write(0, c[31], c[30], 3)
	return string(out)
}
