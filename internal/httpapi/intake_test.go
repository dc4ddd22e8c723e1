package httpapi

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// onePlace puts a server behind an intake that reads one request at a time.
func onePlace(t *testing.T, handler http.HandlerFunc) (*intake, string) {
	t.Helper()
	in := newIntake(listen(t), 1)
	s := &http.Server{Handler: handler}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(in) }) // ErrServerClosed, at the end
	t.Cleanup(func() {
		s.Close()
		serving.Wait()
	})
	return in, in.Addr().String()
}

func TestFH3SlowClientsHoldNoPlaceInTheIntake(t *testing.T) {
	in, addr := onePlace(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	for range 50 { // each sends half a request line and no more
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if _, err := io.WriteString(conn, "GET / HT"); err != nil {
			t.Fatal(err)
		}
	}
	c := client(t)
	for range 20 {
		if status, body := get(t, c, "http://"+addr+"/"); status != http.StatusOK || body != "ok" {
			t.Fatalf("%d %q", status, body)
		}
	}
	c.CloseIdleConnections()
	emptied(t, in)
}

func TestARequestInServiceHoldsNoPlaceInTheIntake(t *testing.T) {
	release := make(chan struct{})
	in, addr := onePlace(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-release
		}
		fmt.Fprint(w, "ok")
	})
	var slow sync.WaitGroup
	for range 10 {
		slow.Go(func() {
			res, err := http.Get("http://" + addr + "/slow")
			if err != nil {
				t.Error(err)
				return
			}
			res.Body.Close()
		})
	}
	c := client(t)
	for range 20 {
		if status, _ := get(t, c, "http://"+addr+"/"); status != http.StatusOK {
			t.Fatal(status)
		}
	}
	close(release)
	slow.Wait()
	c.CloseIdleConnections()
	emptied(t, in)
}

// emptied waits until every place has been given back.
func emptied(t *testing.T, in *intake) {
	t.Helper()
	ask := time.NewTicker(time.Millisecond)
	defer ask.Stop()
	for deadline := time.Now().Add(5 * time.Second); len(in.places) > 0; <-ask.C {
		if time.Now().After(deadline) {
			t.Fatalf("%d places were never given back", len(in.places))
		}
	}
}
