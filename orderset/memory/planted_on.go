//go:build planted

package memory

// planted is the negative control of the crowd's auditor: a build in which
// memory forgets the holders of shares. With
// the unique key dropped too, people get second shares, and a load run that
// does not notice proves nothing. Built by one test; never linked into anything
// that is shipped.
const planted = true
