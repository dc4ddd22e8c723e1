package envelope

import "testing"

func BenchmarkDraw(b *testing.B) {
	b.ReportAllocs()
	d := NewDraw(drawKey().Seed(idAt(0)))
	for b.Loop() {
		d.Share(1, 10_000, 10, Bounds{1, 20000})
	}
}

// BenchmarkDecide is a batch of 100 openers on one envelope of 100 shares.
func BenchmarkDecide(b *testing.B) {
	b.ReportAllocs()
	e, seed := paid(luckyOrder(100_000, 100), DefaultLimits())
	openers := crowd(100)
	for b.Loop() {
		Decide(e, seed, openers, nobody, e.PaidAt)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(openers)), "ns/open")
}

func BenchmarkTicketValid(b *testing.B) {
	b.ReportAllocs()
	tickets := must(NewTickets(ticketKey(1), ticketKey(2)))
	ticket := tickets.Mint(idAt(0))
	for b.Loop() {
		tickets.Valid(idAt(0), ticket)
	}
}

func BenchmarkParseID(b *testing.B) {
	b.ReportAllocs()
	s := string(idAt(0))
	for b.Loop() {
		if _, err := ParseID(s); err != nil {
			b.Fatal(err)
		}
	}
}
