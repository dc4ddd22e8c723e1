package setdb

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"hongbao/internal/mariadb"
)

// silent accepts connections and never says anything.
func silent(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func dialed(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	conn, err := dialBlocking(context.Background(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// FC2: a silent database is given up at the timeout of the socket.
func TestSilentDatabaseEndsAtSocketTimeout(t *testing.T) {
	t.Parallel()
	conn := dialed(t, silent(t))
	start := time.Now()
	_, err := conn.Read(make([]byte, 1))
	if took := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || took < mariadb.SocketMax || took > mariadb.SocketMax+time.Second {
		t.Errorf("a read ended after %v with %v, want after %v", took, err, mariadb.SocketMax)
	}
	if _, network := errors.AsType[net.Error](err); !network {
		t.Errorf("%v is not seen as an unreachable server", err)
	}
}

// FA10: closing the connection ends a read that blocks.
func TestClosingEndsAReadThatBlocks(t *testing.T) {
	t.Parallel()
	conn := dialed(t, silent(t))
	ended := make(chan error, 1)
	go func() {
		_, err := conn.Read(make([]byte, 1))
		ended <- err
	}()
	closed := make(chan struct{})
	time.AfterFunc(50*time.Millisecond, func() { // the read has most likely begun; either way it must end
		conn.Close()
		close(closed)
	})
	defer func() { <-closed }()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("a read from a closed connection succeeded")
		}
	case <-time.After(mariadb.SocketMax / 2):
		t.Error("a read went on after its connection was closed")
	}
}
