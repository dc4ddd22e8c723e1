package queue

import (
	"bytes"
	"strconv"
	"time"
)

// leaseVersion starts every stored lease list; a value that starts otherwise
// is not ours and counts as absent (FB5).
const leaseVersion = "hbl1"

const (
	// leaseMax is the longest lease, and so the longest a dead holder counts (FB2).
	leaseMax = 30 * time.Second

	// holdersMax bounds HoldersMax, and with it the stored value: 6 KiB.
	holdersMax = 64

	// holderBytesMax is the longest name of a holder.
	holderBytesMax = 64
)

// lease says that a process may work on a key until a moment of wall time.
type lease struct {
	holder string
	until  int64 // ms since 1970
}

// encodeLeases writes "hbl1 holder:ms holder:ms".
func encodeLeases(leases []lease) []byte {
	b := append(make([]byte, 0, len(leaseVersion)+len(leases)*40), leaseVersion...)
	for _, l := range leases {
		b = append(b, ' ')
		b = append(b, l.holder...)
		b = append(b, ':')
		b = strconv.AppendInt(b, l.until, 10)
	}
	return b
}

// otherLeases reads the leases that are alive at nowMs and not holder's own.
// Anything malformed makes the whole value absent, and a lease that claims
// to outlive leaseMax is a broken clock or a broken value: it counts as dead.
func otherLeases(value []byte, holder string, nowMs int64) []lease {
	fields := bytes.Split(value, []byte{' '})
	if string(fields[0]) != leaseVersion || len(fields)-1 > holdersMax {
		return nil
	}
	var others []lease
	for _, f := range fields[1:] {
		name, ms, ok := bytes.Cut(f, []byte{':'})
		until, err := strconv.ParseInt(string(ms), 10, 64)
		if !ok || err != nil || !isHolder(string(name)) {
			return nil
		}
		if until > nowMs && until <= nowMs+leaseMax.Milliseconds() && string(name) != holder {
			others = append(others, lease{string(name), until})
		}
	}
	return others
}

// isHolder reports whether s can be a holder's name in a lease list.
func isHolder(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == ':' {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= holderBytesMax
}
