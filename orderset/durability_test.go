package orderset_test

import (
	"testing"

	"hongbao/orderset"
)

func TestDurabilityIsWhatTheServerSays(t *testing.T) {
	w := servers.World(t, 1)
	d, err := w.Router.Sets()[0].Durability(t.Context())
	if err != nil || !d.Fsynced || d.Copied || d.String() != "one node per SET, binlog and redo log fsynced at every commit" {
		t.Errorf("%v, %v", d, err)
	}
	if none := (orderset.Durability{}); !none.Weaker(d) || d.Weaker(none) || !d.Weaker(orderset.Durability{Fsynced: true, Copied: true}) {
		t.Errorf("%v is not weaker than %v", none, d)
	}
}
