package apiv3

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const testKey3 = "0123456789abcdefghijklmnopqrstuv"

func TestKeyFilesThatAreNoneAreRefused(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for _, file := range []string{
		filepath.Join(dir, "absent"), write("empty", ""), write("text", "key"), write("long", strings.Repeat("x", keyFileBytesMax+1)),
		"testdata/ec.key.pem", "testdata/short.key.pem", "testdata/golden.pub.pem",
	} {
		if _, err := LoadPrivateKey(file); err == nil {
			t.Errorf("private key %s: accepted", file)
		}
	}
	for _, file := range []string{
		filepath.Join(dir, "absent"), write("broken", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
		"testdata/ec.pub.pem", "testdata/golden.key.pem",
	} {
		if _, err := LoadPublicKey(file); err == nil {
			t.Errorf("public key %s: accepted", file)
		}
	}
	if key, err := LoadAPIv3Key(write("apiv3", testKey3+"\n")); err != nil || string(key) != testKey3 {
		t.Errorf("APIv3 key: %d bytes, %v", len(key), err)
	}
	if _, err := LoadAPIv3Key(write("apiv3 short", testKey3[1:])); err == nil {
		t.Error("APIv3 key of 31 bytes: accepted")
	}
}
