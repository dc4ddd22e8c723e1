package loadtest

import (
	"math/rand/v2"
	"time"

	"hongbao/envelope"
)

// The published mix of the festival: 2.6 opens for each envelope sent. Two
// openers for most, two to four for some, and one opener in twelve who taps
// again because nothing seems to happen: 2.4 × 13/12 = 2.6.
const (
	festivalOpensPerSend  = 2.6
	festivalRepeatOneIn   = 12
	festivalOpenersMax    = 4
	festivalLoserOneIn    = 5   // this many envelopes: one has a share less than openers
	festivalExclusiveOne  = 20  // this many envelopes for one opener: one names them
	festivalThinkMean     = 1.2 // seconds from the message to the tap
	festivalThinkMax      = 6.0
	festivalImpatienceMin = 150 * time.Millisecond
	festivalImpatienceMax = 900 * time.Millisecond
)

// The festival's load: an ordinary evening, and at midnight all users at once.
const (
	midnightFactor = 5.0
	midnightFrom   = 0.45 // of the evening
	midnightTo     = 0.60
)

// Evening is the festival's load over time, for a rate that is the evening's
// without the spike.
func Evening(sendsPerSecond float64, length time.Duration) []Stretch {
	part := func(f float64) time.Duration { return time.Duration(f * float64(length)) }
	return []Stretch{
		{Rate: sendsPerSecond, For: part(midnightFrom)},
		{Rate: sendsPerSecond * midnightFactor, For: part(midnightTo - midnightFrom)},
		{Rate: sendsPerSecond, For: length - part(midnightTo)},
	}
}

func (p *Plan) drawFestival(r *rand.Rand) {
	for i := range p.Gifts {
		openers := [...]int{1, 2, 2, 3, 4}[r.IntN(5)] // 2.4 on average
		count := openers
		if count > 1 && r.IntN(festivalLoserOneIn) == 0 {
			count--
		}
		g := newGift(r, count, p.Config.Users)
		who := newWalk(r, p.Config.Users)
		for range openers {
			user := who.next()
			after := think(r)
			g.Taps = append(g.Taps, LaterTap{user, after})
			if r.IntN(festivalRepeatOneIn) == 0 {
				again := festivalImpatienceMin + time.Duration(r.Int64N(int64(festivalImpatienceMax-festivalImpatienceMin)))
				g.Taps = append(g.Taps, LaterTap{user, after + again})
			}
		}
		if openers == 1 && r.IntN(festivalExclusiveOne) == 0 {
			g.Kind, g.Total = envelope.Exclusive, min(g.Total, shareMax)
		}
		p.Gifts[i] = g
	}
}

func think(r *rand.Rand) time.Duration {
	return time.Duration(min(festivalThinkMax, r.ExpFloat64()*festivalThinkMean) * float64(time.Second))
}
