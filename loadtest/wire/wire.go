package wire

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// The crowd shares its machine with the server and the databases it measures:
// whatever it spends on a request is taken from them. Asking costs net/http's
// client about 29 µs of CPU, more than answering costs the server, and a wire
// about 10 (200 connections, 2 cores): it writes a request that was rendered
// before the run, and reads the answer with one parser made for small answers.
//
// One request is in flight per connection. Pipelining would be cheaper still,
// but no client of the API does it, and a server that reads ten requests with
// one system call would be measured at a price that no client pays.
const (
	answerHeadMax = 4 << 10
	answerBodyMax = 16 << 10
	answerUsual   = 1 << 10 // an open's is some 300 bytes; thousands of connections have a buffer each
	dialMax       = 2 * time.Second
	idleTrusted   = time.Second // after that, look whether the server has hung up
)

// ErrUnreached wraps an error of a request of which the server has not seen a
// byte. Every other error of a connection leaves the outcome unknown.
var ErrUnreached = errors.New("the server was not reached")

// wire is one keep-alive connection, used by one goroutine. It dials when it
// has to: at first, after an error, and after an answer that closes.
type Conn struct {
	addr      string
	began     time.Time     // instants are durations since
	answerMax time.Duration // from the request to the last byte of its answer, at least

	conn   net.Conn
	until  time.Duration // the deadline set on conn
	used   time.Duration // when it was last asked, or dialled
	out    []byte
	in     []byte
	broken bool // an error or "Connection: close": dial before the next request
}

func New(addr string, began time.Time, answerMax time.Duration) *Conn {
	return &Conn{addr: addr, began: began, answerMax: answerMax, out: make([]byte, 0, 1<<10), in: make([]byte, answerUsual)}
}

// ask sends head and tail as one request and returns its answer, whose body is
// good until the next ask.
func (w *Conn) Ask(now time.Duration, head, tail []byte) (Answer, error) {
	if w.conn == nil || w.broken || now-w.used > idleTrusted && hungUp(w.conn) {
		if err := w.Dial(now); err != nil {
			return Answer{}, err
		}
	}
	w.extend(now)
	w.used = now
	w.out = append(append(w.out[:0], head...), tail...)
	w.broken = true // until the answer is whole
	if _, err := w.conn.Write(w.out); err != nil {
		return Answer{}, fmt.Errorf("write to %s: %w", w.addr, err)
	}
	for n := 0; ; {
		if n == len(w.in) {
			w.in = append(w.in, w.in...) // parseAnswer has refused what exceeds the bounds
		}
		m, err := w.conn.Read(w.in[n:])
		if n += m; m > 0 {
			a, whole, err := parseAnswer(w.in[:n])
			if err != nil {
				return Answer{}, fmt.Errorf("answer of %s: %w", w.addr, err)
			}
			if whole {
				w.broken = a.closes
				return a, nil
			}
		}
		if err != nil {
			return Answer{}, fmt.Errorf("read from %s: %w", w.addr, err)
		}
	}
}

func (w *Conn) Dial(now time.Duration) error {
	w.Close()
	conn, err := net.DialTimeout("tcp", w.addr, dialMax)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreached, err)
	}
	w.conn, w.until, w.used, w.broken = conn, 0, now, false
	return nil
}

// extend moves the deadline. Setting one costs about as much as parsing an
// answer, so it is set for two answers' time and renewed when one is left.
func (w *Conn) extend(now time.Duration) {
	if w.until-now < w.answerMax {
		w.until = now + 2*w.answerMax
		_ = w.conn.SetDeadline(w.began.Add(w.until)) // fails on a closed connection only, and then so does Write
	}
}

func (w *Conn) Close() {
	if w.conn != nil {
		_ = w.conn.Close() // nothing is buffered, so nothing is lost
		w.conn = nil
	}
}

// hungUp reports whether the server has closed an idle connection, as it may at
// any time. A request written to it would be lost for nothing, and its outcome
// unknown. It reads without waiting: an idle connection has nothing to read.
func hungUp(conn net.Conn) bool {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return true
	}
	idle := false
	err = raw.Read(func(fd uintptr) bool {
		var one [1]byte
		_, err := syscall.Read(int(fd), one[:])
		idle = errors.Is(err, syscall.EAGAIN)
		return true
	})
	return err != nil || !idle
}
