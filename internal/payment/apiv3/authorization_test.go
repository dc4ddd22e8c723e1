package apiv3

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 1, 2, 4, 0, 0, 0, time.UTC)

func TestAuthorizationIsReadInAnyOrder(t *testing.T) {
	want := Authorization{MerchantID: "m", Serial: "s", Nonce: "n", Timestamp: "1", Signature: "a+/="}
	for _, header := range []string{
		want.String(),
		Scheme + ` signature="a+/=",serial_no="s",timestamp="1",nonce_str="n",mchid="m"`,
	} {
		got, err := ParseAuthorization(header)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestAuthorizationRefusesWhatIsNotOne(t *testing.T) {
	whole := Authorization{MerchantID: "m", Serial: "s", Nonce: "n", Timestamp: "1", Signature: "x"}.String()
	for name, header := range map[string]string{
		"empty":             "",
		"another scheme":    strings.Replace(whole, "RSA2048", "RSA1024", 1),
		"no parameters":     Scheme + " ",
		"one missing":       strings.Replace(whole, `nonce_str="n",`, "", 1),
		"one twice":         whole + `,mchid="m"`,
		"one unknown":       whole + `,extra="1"`,
		"an empty value":    strings.Replace(whole, `mchid="m"`, `mchid=""`, 1),
		"a trailing comma":  whole + ",",
		"no comma":          strings.Replace(whole, ",", " ", 1),
		"an open quote":     strings.TrimSuffix(whole, `"`),
		"no quotes":         strings.ReplaceAll(whole, `"`, ""),
		"too long":          whole + `,extra="` + strings.Repeat("x", authorizationBytesMax) + `"`,
		"space around name": strings.Replace(whole, ",serial_no", ", serial_no", 1),
	} {
		if a, err := ParseAuthorization(header); err == nil {
			t.Errorf("%s: accepted as %+v", name, a)
		}
	}
}

func TestAuthorizationIsForOneRequestOnly(t *testing.T) {
	key := merchantKey(t)
	a, err := Authorize(key, "1900000001", "S", noon, "POST", "/pay?a=1", []byte("body"))
	if err != nil {
		t.Fatal(err)
	}
	verify := func(now time.Time, method, target, body string) error {
		return a.Verify(&key.PublicKey, now, method, target, []byte(body))
	}
	if err := verify(noon.Add(ClockSkewMax), "POST", "/pay?a=1", "body"); err != nil {
		t.Errorf("the same request: %v", err)
	}
	for name, err := range map[string]error{
		"method": verify(noon, "PUT", "/pay?a=1", "body"),
		"query":  verify(noon, "POST", "/pay?a=2", "body"),
		"body":   verify(noon, "POST", "/pay?a=1", "body2"),
		"late":   verify(noon.Add(ClockSkewMax+time.Second), "POST", "/pay?a=1", "body"),
		"early":  verify(noon.Add(-ClockSkewMax-time.Second), "POST", "/pay?a=1", "body"),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzParseAuthorization(f *testing.F) {
	f.Add(Authorization{MerchantID: "m", Serial: "s", Nonce: "n", Timestamp: "1", Signature: "x"}.String())
	f.Add(Scheme + ` mchid="a",mchid="b"`)
	f.Add(Scheme + ` ="",`)
	f.Add("Bearer x")
	f.Fuzz(func(t *testing.T, header string) {
		a, err := ParseAuthorization(header)
		if err != nil {
			return
		}
		again, err := ParseAuthorization(a.String())
		if err != nil || again != a {
			t.Errorf("%q reads as %+v, which reads as %+v, %v", header, a, again, err)
		}
	})
}
