package bearer

import (
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"time"
)

// verified is what a token was found to say.
type verified struct {
	caller  Caller
	expires time.Time
}

const (
	tokenShards = 32
	// entryOverhead is what an entry takes beside the token and the user's name:
	// its struct and its place in the map, roughly.
	entryOverhead = 160
)

// tokenCache remembers verified tokens, so that a repeat costs no cryptography.
// It knows nothing of time: the expiry of an entry is checked where it is used.
//
// Each shard has two generations. New and used entries live in the young one;
// when that is full it becomes the old one, and what the old one still held was
// not used for a whole generation and is forgotten. So both bounds hold without
// any list to maintain on a hit.
type tokenCache struct {
	seed   maphash.Seed
	shards [tokenShards]tokenShard
}

type tokenShard struct {
	mu         sync.Mutex // held for a few map operations, never across anything else
	young, old map[string]verified
	youngBytes int
	entriesMax int // of one generation
	bytesMax   int // of one generation
}

// newTokenCache holds at most entriesMax tokens and about bytesMax bytes.
func newTokenCache(entriesMax, bytesMax int) (*tokenCache, error) {
	const generations = 2 * tokenShards
	if entriesMax < generations {
		return nil, fmt.Errorf("token cache: want entries max >= %d, have %d", generations, entriesMax)
	}
	if least := generations * (tokenBytesMax + entryOverhead); bytesMax < least {
		return nil, fmt.Errorf("token cache: want bytes max >= %d, have %d", least, bytesMax)
	}
	c := &tokenCache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i] = tokenShard{young: map[string]verified{}, old: map[string]verified{},
			entriesMax: entriesMax / generations, bytesMax: bytesMax / generations}
	}
	return c, nil
}

func (c *tokenCache) shard(token string) *tokenShard {
	return &c.shards[maphash.String(c.seed, token)%tokenShards]
}

func (c *tokenCache) get(token string) (verified, bool) {
	s := c.shard(token)
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.young[token]
	if ok {
		return v, true
	}
	if v, ok = s.old[token]; ok {
		delete(s.old, token)
		s.add(strings.Clone(token), v)
	}
	return v, ok
}

func (c *tokenCache) put(token string, v verified) {
	s := c.shard(token)
	s.mu.Lock()
	defer s.mu.Unlock()
	// The header's string may share memory with the whole request: keep a copy.
	s.add(strings.Clone(token), v)
}

// add puts an entry into the young generation, starting a new one when it is
// full. Two requests may verify one token at once; the first stays.
func (s *tokenShard) add(token string, v verified) {
	if _, ok := s.young[token]; ok {
		return
	}
	size := len(token) + len(v.caller.User) + entryOverhead
	if len(s.young) >= s.entriesMax || s.youngBytes+size > s.bytesMax {
		s.young, s.old = s.old, s.young
		clear(s.young)
		s.youngBytes = 0
	}
	s.young[token] = v
	s.youngBytes += size
}
