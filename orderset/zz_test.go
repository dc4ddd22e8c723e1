package orderset_test

import (
	"os"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
)

var servers settest.Servers

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

func TestZ(t *testing.T) {
	for i := range 4 {
		t0 := time.Now()
		w := servers.World(t, 1+i%2)
		t.Log("world", 1+i%2, time.Since(t0))
		t0 = time.Now()
		e := w.Active(t, 0, envelope.Order{Total: 1000, Count: 10})
		t.Log("active", time.Since(t0), e.ID)
	}
}
