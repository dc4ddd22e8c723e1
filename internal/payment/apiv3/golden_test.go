package apiv3

import (
	"crypto/rsa"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// golden are vectors of other programs: signatures by
// `openssl dgst -sha256 -sign golden.key.pem`, the ciphertext by AESGCM of
// Python's cryptography.
type golden struct {
	Method           string `json:"method"`
	Target           string `json:"target"`
	Timestamp        string `json:"timestamp"`
	Nonce            string `json:"nonce"`
	Body             string `json:"body"`
	RequestSignature string `json:"request_signature"`
	StampSignature   string `json:"stamp_signature"`
	APIv3Key         string `json:"apiv3_key"`
	GCMNonce         string `json:"gcm_nonce"`
	GCMAssociated    string `json:"gcm_associated_data"`
	GCMCiphertext    string `json:"gcm_ciphertext"`
}

func loadGolden(t *testing.T) golden {
	t.Helper()
	raw, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// merchantKey is the key of the vectors.
func merchantKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := LoadPrivateKey("testdata/golden.key.pem")
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (g *golden) at(t *testing.T) time.Time {
	seconds, err := strconv.ParseInt(g.Timestamp, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Unix(seconds, 0)
}

func TestRequestSignaturesAreOpenSSLs(t *testing.T) {
	g := loadGolden(t)
	a := Authorization{MerchantID: "1900000001", Serial: "S", Nonce: g.Nonce, Timestamp: g.Timestamp}
	got, err := sign(merchantKey(t), a.lines(g.Method, g.Target, []byte(g.Body))...)
	if err != nil || got != g.RequestSignature {
		t.Fatalf("signature %q, %v, want %q", got, err, g.RequestSignature)
	}
	public, err := LoadPublicKey("testdata/golden.pub.pem")
	if err != nil {
		t.Fatal(err)
	}
	a.Signature = g.RequestSignature
	if err := a.Verify(public, g.at(t), g.Method, g.Target, []byte(g.Body)); err != nil {
		t.Error(err)
	}
}

func TestStampsOfOpenSSLVerify(t *testing.T) {
	g := loadGolden(t)
	public, err := LoadPublicKey("testdata/golden.cert.pem")
	if err != nil {
		t.Fatal(err)
	}
	v := Verifier{Keys: map[string]*rsa.PublicKey{"CERT": public}, Now: func() time.Time { return g.at(t) }}
	h := http.Header{}
	h.Set(HeaderTimestamp, g.Timestamp)
	h.Set(HeaderNonce, g.Nonce)
	h.Set(HeaderSignature, g.StampSignature)
	h.Set(HeaderSerial, "CERT")
	if err := v.Verify(h, []byte(g.Body)); err != nil {
		t.Error(err)
	}
}

func TestResourcesOfAnotherGCMOpen(t *testing.T) {
	g := loadGolden(t)
	r := Resource{Algorithm: resourceAlgorithm, Ciphertext: g.GCMCiphertext, Nonce: g.GCMNonce, AssociatedData: g.GCMAssociated}
	plaintext, err := r.Open(Secret(g.APIv3Key))
	if err != nil || string(plaintext) != g.Body {
		t.Fatalf("plaintext %q, %v, want %q", plaintext, err, g.Body)
	}
}
