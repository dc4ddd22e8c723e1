package envelope

import (
	"crypto/sha256"
	"math/big"
)

// The functions here are the draw once more, from the text of the design and
// nothing else: integers of any size, HMAC spelled out, no code shared with
// the package. A mistake would have to be made twice to pass.

// refShares divides total fen into count shares within the bounds.
func refShares(seed []byte, total, count int64, of Bounds) []int64 {
	shares := make([]int64, 0, count)
	rest := big.NewInt(total)
	for k := int64(1); k <= count; k++ {
		amount := refShare(seed, k, rest, big.NewInt(count-k+1), big.NewInt(int64(of.Min)), big.NewInt(int64(of.Max)))
		rest = new(big.Int).Sub(rest, amount)
		shares = append(shares, amount.Int64())
	}
	return shares
}

// refShare is share k when rest fen and left shares remain before it.
func refShare(seed []byte, k int64, rest, left, least, most *big.Int) *big.Int {
	one := big.NewInt(1)
	if left.Cmp(one) == 0 {
		return rest
	}
	after := new(big.Int).Sub(left, one)
	lo := new(big.Int).Sub(rest, new(big.Int).Mul(after, most))
	if lo.Cmp(least) < 0 {
		lo = least
	}
	hi := new(big.Int).Div(new(big.Int).Lsh(rest, 1), left)
	for _, bound := range []*big.Int{most, new(big.Int).Sub(rest, new(big.Int).Mul(after, least))} {
		if bound.Cmp(hi) < 0 {
			hi = bound
		}
	}
	span := new(big.Int).Add(new(big.Int).Sub(hi, lo), one)
	return new(big.Int).Add(lo, refUniform(seed, k, span))
}

// refUniform is the first x below 2⁶⁴ − (2⁶⁴ mod span), mod span.
func refUniform(seed []byte, k int64, span *big.Int) *big.Int {
	all := new(big.Int).Lsh(big.NewInt(1), 64)
	bound := new(big.Int).Sub(all, new(big.Int).Mod(all, span))
	for j := int64(0); ; j++ {
		message := append([]byte("share"), refUint32(k)...)
		sum := refHMAC(seed, append(message, refUint32(j)...))
		if x := new(big.Int).SetBytes(sum[:8]); x.Cmp(bound) < 0 {
			return x.Mod(x, span)
		}
	}
}

func refUint32(v int64) []byte { return big.NewInt(v).FillBytes(make([]byte, 4)) }

// refHMAC is HMAC-SHA256 as RFC 2104 writes it.
func refHMAC(key, message []byte) []byte {
	if len(key) > 64 {
		sum := sha256.Sum256(key)
		key = sum[:]
	}
	inner, outer := make([]byte, 64), make([]byte, 64)
	copy(inner, key)
	copy(outer, key)
	for i := range inner {
		inner[i] ^= 0x36
		outer[i] ^= 0x5c
	}
	sum := sha256.Sum256(append(inner, message...))
	sum = sha256.Sum256(append(outer, sum[:]...))
	return sum[:]
}
