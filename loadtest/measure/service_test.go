package measure

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest/fakeservice"
	"hongbao/loadtest"
)

// service is a service in memory, as a measurement knows it.
type service struct {
	*fakeservice.Service
}

func newService(t *testing.T) *service { return &service{fakeservice.New(t, loadtest.CountMax)} }

// memory is what a service would occupy that spends 1000 bytes an envelope.
func (s *service) memory() Memory {
	warm := s.Warm()
	return Memory{RSS: 1 << 24, Heap: 1<<20 + 1000*int64(warm), Warm: warm}
}

func testUsers(n int) ([]loadtest.User, error) {
	users := make([]loadtest.User, n)
	for i := range users {
		users[i] = loadtest.User{Name: envelope.UserID(fmt.Sprintf("user-%d", i)), Token: fmt.Sprintf("user-%d", i)}
	}
	return users, nil
}

func (s *service) server(mode string) *Server {
	return &Server{API: s.API, Mode: mode, Durability: "none: memory",
		CPU:     func() (time.Duration, time.Duration, error) { own := ownTime(); return own / 2, own / 4, nil },
		Refuse:  func(_ context.Context, on bool) error { s.Refuses.Store(on); return nil },
		Memory:  func(context.Context) (Memory, error) { return s.memory(), nil },
		Profile: func(_ context.Context, seconds int) ([]byte, error) { return fmt.Appendf(nil, "%d s", seconds), nil },
		Stop:    func(context.Context) error { return nil },
	}
}

// ownTime is the CPU time this process has used so far.
func ownTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // the kernel knows us
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
