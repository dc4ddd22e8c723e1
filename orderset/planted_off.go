//go:build !planted

package orderset

// planted is off in every real build; see planted_on.go.
const planted = false
