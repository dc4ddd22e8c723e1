package loadtest

import (
	"encoding/json"
	"testing"

	"hongbao/envelope"
)

func TestOpeningsAreReadAsJSONSaysThem(t *testing.T) {
	for body, want := range map[string]opening{
		`{"outcome":"opened","amount_fen":12,"seq":3}`:                        {envelope.Opened, 12, 3},
		`{"outcome":"already_opened","amount_fen":1,"seq":500}`:               {envelope.AlreadyOpened, 1, 500},
		`{"outcome":"empty"}`:                                                 {envelope.Drained, 0, 0},
		`{"outcome":"expired"}`:                                               {envelope.TooLate, 0, 0},
		`{ "seq": 3, "amount_fen": 12, "outcome": "opened" }`:                 {envelope.Opened, 12, 3},
		`{"outcome":"opened","amount_fen":12,"seq":3,"best_luck":true}`:       {envelope.Opened, 12, 3},
		"{\"outcome\":\"opened\",\n\"amount_fen\":12,\"seq\":3}":              {envelope.Opened, 12, 3},
		`{"outcome":"opened","amount_fen":12,"seq":3,"note":"any \"thing\""}`: {envelope.Opened, 12, 3},
	} {
		if got, ok := parseOpening([]byte(body)); !ok || got != want {
			t.Errorf("%s: read as %+v, %v; want %+v", body, got, ok, want)
		}
	}
	for _, body := range []string{
		``, `{}`, `null`, `[]`, `{"outcome":"openable"}`, `{"outcome":"unpaid"}`, `{"outcome":"opened"}`, `{"outcome":"opened","amount_fen":0,"seq":1}`,
		`{"outcome":"opened","amount_fen":1,"seq":0}`, `{"outcome":"opened","amount_fen":-1,"seq":1}`, `{"outcome":"opened","amount_fen":1.5,"seq":1}`,
		`{"outcome":"opened","amount_fen":01,"seq":1}`, `{"outcome":"opened","amount_fen":1,"seq":1}}`, `{"outcome":"empty","amount_fen":1,"seq":1}`,
		`{"outcome":"opened","amount_fen":9999999999,"seq":1}`, `{"outcome":"opened","amount_fen":1,"seq":40000}`, `{"outcome":"opened","amount_fen":1,"seq":1`,
	} {
		if got, ok := parseOpening([]byte(body)); ok {
			t.Errorf("%s: read as %+v", body, got)
		}
	}
}

func FuzzFastOpeningParserAgreesWithJSON(f *testing.F) {
	f.Add([]byte(`{"outcome":"opened","amount_fen":12,"seq":3}`))
	f.Add([]byte(`{"outcome":"empty"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		short, ok := parseCompact(body)
		if !ok {
			return
		}
		var long opening
		if err := json.Unmarshal(body, &long); err != nil || long != short {
			t.Fatalf("%q: read as %+v, JSON says %+v (%v)", body, short, long, err)
		}
	})
}
