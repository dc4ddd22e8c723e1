package bearer

import (
	"fmt"
	"strings"
)

// Scope is a set of what a token allows.
type Scope uint8

// The scopes, spelled in a token as send, open, show and operate. A token
// without the claim has all but operate, which must be said.
const (
	ScopeSend Scope = 1 << iota
	ScopeOpen       // open and grab
	ScopeShow
	ScopeOperate // move held money, on the operator's listener
	scopeAll     = ScopeSend | ScopeOpen | ScopeShow
)

func (s Scope) String() string {
	switch s {
	case ScopeSend:
		return "send"
	case ScopeOpen:
		return "open"
	case ScopeShow:
		return "show"
	case ScopeOperate:
		return "operate"
	}
	return fmt.Sprintf("scopes %04b", uint8(s))
}

// parseScope reads the words it knows; others are for other services. Only the
// space separates them (RFC 6749 §3.3).
func parseScope(words string) Scope {
	var s Scope
	for word := range strings.SplitSeq(words, " ") {
		for _, one := range [...]Scope{ScopeSend, ScopeOpen, ScopeShow, ScopeOperate} {
			if word == one.String() {
				s |= one
			}
		}
	}
	return s
}
