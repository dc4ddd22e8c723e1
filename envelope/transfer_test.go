package envelope

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The numbers are frozen: the provider knows them for ever (I7).
func TestATransferNumberIsFrozen(t *testing.T) {
	const id = ID("02504704131072000010032")
	for _, c := range []struct {
		seq, round int
		want       string
	}{
		{0, 1, string(id) + "R"}, {1, 1, string(id) + "P001"}, {42, 1, string(id) + "P042"}, {500, 1, string(id) + "P500"},
		{0, 2, string(id) + "RX2"}, {7, 9, string(id) + "P007X9"},
	} {
		if got := TransferNo(id, c.seq, c.round); got != c.want {
			t.Errorf("seq %d, round %d: %s, want %s", c.seq, c.round, got, c.want)
		}
	}
}

func TestTransferNumberRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := idAt(rapid.IntRange(0, 1_000_000).Draw(t, "n"))
		seq, round := rapid.IntRange(0, 500).Draw(t, "seq"), rapid.IntRange(1, RoundMax).Draw(t, "round")
		no := TransferNo(id, seq, round)
		gotID, gotSeq, gotRound, err := ParseTransferNo(no)
		if err != nil || gotID != id || gotSeq != seq || gotRound != round {
			t.Fatalf("%s reads as %s %d %d, %v", no, gotID, gotSeq, gotRound, err)
		}
		if len(no) > 32 || strings.Trim(no, "0123456789PRX") != "" {
			t.Fatalf("%q is no number for the provider: want at most 32 digits and letters", no)
		}
	})
}

func TestMalformedTransferNumbersAreRefused(t *testing.T) {
	id := string(idAt(0))
	for _, no := range []string{
		"", id, id + "P", id + "P1", id + "P0001", id + "P501", id + "P000", id + "P-01", id + "P+01", id + "P01 ", id + "p001", id + "r",
		id + "R1", id + "RX", id + "RX0", id + "RX1", id + "RX10", id + "RX02", id + "P001X", id + "P001X1", id + "P001X2X3", id + "X2",
		id[1:] + "R", "9" + id[1:] + "R", strings.Repeat("0", 23) + "R", id + "R\x00", id + strings.Repeat("9", 100),
	} {
		if gotID, seq, round, err := ParseTransferNo(no); err == nil {
			t.Errorf("%q reads as %s %d %d", no, gotID, seq, round)
		} else if len(err.Error()) > 200 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	}
}

func FuzzTransferNumberHasOneSpelling(f *testing.F) {
	id := idAt(0)
	for _, no := range []string{TransferNo(id, 0, 1), TransferNo(id, 12, 3), string(id) + "P012X", ""} {
		f.Add(no)
	}
	f.Fuzz(func(t *testing.T, no string) {
		if id, seq, round, err := ParseTransferNo(no); err == nil && TransferNo(id, seq, round) != no {
			t.Fatalf("%q reads as %q", no, TransferNo(id, seq, round))
		}
	})
}

func payout() Transfer {
	return Transfer{OrderNo: idAt(0), Seq: 3, Round: 1, Payee: "bob", Amount: 250, Charged: 1000, State: Pending, Placed: true, Attempts: 2}
}

func payoutNo() string { return TransferNo(idAt(0), 3, 1) }

func TestTransferFollowsTheProvidersStatus(t *testing.T) {
	no := payoutNo()
	for name, c := range map[string]struct {
		from func(*Transfer)
		word TransferStatus
		want func(*Transfer)
	}{
		"unknown leaves it pending":        {nil, TransferStatus{Progress: ProgressUnknown}, func(*Transfer) {}},
		"unknown was asked for all same":   {func(t *Transfer) { t.Placed = false }, TransferStatus{Progress: ProgressUnknown}, func(t *Transfer) { t.Placed = true }},
		"absent may be placed again":       {nil, TransferStatus{Progress: ProgressAbsent}, func(t *Transfer) { t.Placed = false }},
		"under way has a number":           {nil, TransferStatus{Progress: ProgressUnderWay, ProviderNo: "w1"}, func(t *Transfer) { t.ProviderNo = "w1" }},
		"a number is not forgotten":        {func(t *Transfer) { t.ProviderNo = "w1" }, TransferStatus{Progress: ProgressUnderWay}, func(t *Transfer) { t.ProviderNo = "w1" }},
		"awaiting the payee, with a hint":  {nil, TransferStatus{Progress: ProgressAwaiting, Hint: "pkg"}, func(t *Transfer) { t.Hint = "pkg" }},
		"a hint is not forgotten":          {func(t *Transfer) { t.Hint = "pkg" }, TransferStatus{Progress: ProgressAwaiting}, func(t *Transfer) { t.Hint = "pkg" }},
		"done is posted":                   {func(t *Transfer) { t.Hint = "pkg" }, TransferStatus{Progress: ProgressDone, ProviderNo: "w1", Amount: 250}, func(t *Transfer) { t.State, t.ProviderNo = Posted, "w1" }},
		"refused is held, with the reason": {nil, TransferStatus{Progress: ProgressRefused, Code: "ACCOUNT_FROZEN"}, func(t *Transfer) { t.State, t.Reason = Held, "ACCOUNT_FROZEN" }},
		"FG2 posted twice is posted":       {func(t *Transfer) { t.State = Posted }, TransferStatus{Progress: ProgressDone, ProviderNo: "w2"}, func(t *Transfer) { t.State = Posted }},
		"posted, then unknown":             {func(t *Transfer) { t.State = Posted }, TransferStatus{Progress: ProgressUnknown}, func(t *Transfer) { t.State = Posted }},
		"posted, then absent":              {func(t *Transfer) { t.State = Posted }, TransferStatus{Progress: ProgressAbsent}, func(t *Transfer) { t.State = Posted }},
		"held twice is held":               {func(t *Transfer) { t.State = Held }, TransferStatus{Progress: ProgressRefused, Code: "OTHER"}, func(t *Transfer) { t.State = Held }},
		"held, then under way":             {func(t *Transfer) { t.State = Held }, TransferStatus{Progress: ProgressUnderWay}, func(t *Transfer) { t.State = Held }},
	} {
		t.Run(name, func(t *testing.T) {
			from := payout()
			if c.from != nil {
				c.from(&from)
			}
			want := payout()
			c.want(&want)
			c.word.No = no
			if got, err := from.Apply(c.word); err != nil || got != want {
				t.Errorf("%+v\nwant %+v, %v", got, want, err)
			}
		})
	}
}

// FG3: a status that contradicts the transfer is a conflict and leaves it as it was.
func TestContradictingStatusChangesNothing(t *testing.T) {
	no := payoutNo()
	for name, c := range map[string]struct {
		state TransferState
		word  TransferStatus
	}{
		"posted, then refused":        {Posted, TransferStatus{No: no, Progress: ProgressRefused, Code: "LATE"}},
		"held, then done":             {Held, TransferStatus{No: no, Progress: ProgressDone}},
		"another amount":              {Pending, TransferStatus{No: no, Progress: ProgressDone, Amount: 251}},
		"another amount, when posted": {Posted, TransferStatus{No: no, Progress: ProgressDone, Amount: 249}},
		"another number":              {Pending, TransferStatus{No: TransferNo(idAt(0), 4, 1), Progress: ProgressDone}},
		"the next round's number":     {Pending, TransferStatus{No: TransferNo(idAt(0), 3, 2), Progress: ProgressDone}},
		"the refund's number":         {Pending, TransferStatus{No: TransferNo(idAt(0), 0, 1), Progress: ProgressDone}},
	} {
		t.Run(name, func(t *testing.T) {
			from := payout()
			from.State = c.state
			if got, err := from.Apply(c.word); !errors.Is(err, ErrTransferConflict) || got != from {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// Whatever the provider says, in whatever order and however often: what is
// posted or held stays so (I8), and payee and amount are never touched.
func TestATransferIsDecidedAtMostOnce(t *testing.T) {
	words := []Progress{ProgressUnknown, ProgressAbsent, ProgressUnderWay, ProgressAwaiting, ProgressDone, ProgressRefused}
	rapid.Check(t, func(t *rapid.T) {
		tr := payout()
		for range rapid.IntRange(1, 12).Draw(t, "words") {
			s := TransferStatus{No: tr.No(), Progress: rapid.SampledFrom(words).Draw(t, "word"), Amount: rapid.SampledFrom([]Fen{0, 250, 251}).Draw(t, "amount")}
			next, err := tr.Apply(s)
			if tr.State != Pending && next != tr {
				t.Fatalf("%s, and after %s %+v", tr.State, s.Progress, next)
			}
			if err != nil && next != tr {
				t.Fatalf("a contradiction changed %+v into %+v", tr, next)
			}
			if next.State == Posted && tr.State == Pending && s.Progress != ProgressDone || next.State == Held && tr.State == Pending && s.Progress != ProgressRefused {
				t.Fatalf("%s made it %s (FG5)", s.Progress, next.State)
			}
			if next.Payee != "bob" || next.Amount != 250 || next.Round != 1 || next.No() != payoutNo() {
				t.Fatalf("%s changed what is owed: %+v", s.Progress, next)
			}
			tr = next
		}
	})
}
