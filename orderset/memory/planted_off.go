//go:build !planted

package memory

// planted is off in every real build; see planted_on.go.
const planted = false
