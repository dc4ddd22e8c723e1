package loadtest

import (
	"errors"
	"fmt"
	"net"
	"time"
)

// The crowd shares its machine with the server and the databases it measures:
// whatever it spends on a request is taken from them. net/http's client spends
// 25 to 40 µs, more than the server. A connection of ours writes a request that
// was rendered before the run, and reads the answer with one parser made for
// small answers.
//
// One request is in flight per connection. Pipelining would be cheaper still,
// but no client of the API does it, and a server that reads ten requests with
// one system call would be measured at a price nobody pays.
const (
	answerHeadMax = 4 << 10
	answerBodyMax = 16 << 10
	answerUsual   = 1 << 10 // an open's is some 300 bytes; thousands of connections have a buffer each
	dialMax       = 2 * time.Second
)

// ErrUnreached wraps an error of a request of which the server has not seen a
// byte. Every other error of a connection leaves the outcome unknown.
var ErrUnreached = errors.New("the server was not reached")

// wire is one keep-alive connection, used by one goroutine. It dials when it
// has to: at first, after an error, and after an answer that closes.
type wire struct {
	addr      string
	began     time.Time     // instants are durations since
	answerMax time.Duration // from the request to the last byte of its answer, at least

	conn   net.Conn
	until  time.Duration // the deadline set on conn
	out    []byte
	in     []byte
	broken bool // an error or "Connection: close": dial before the next request
}

func newWire(addr string, began time.Time, answerMax time.Duration) *wire {
	return &wire{addr: addr, began: began, answerMax: answerMax, out: make([]byte, 0, 1<<10), in: make([]byte, answerUsual)}
}

// ask sends head and tail as one request and returns its answer, whose body is
// good until the next ask.
func (w *wire) ask(now time.Duration, head, tail []byte) (answer, error) {
	if w.conn == nil || w.broken {
		if err := w.dial(); err != nil {
			return answer{}, err
		}
	}
	w.extend(now)
	w.out = append(append(w.out[:0], head...), tail...)
	w.broken = true // until the answer is whole
	if _, err := w.conn.Write(w.out); err != nil {
		return answer{}, fmt.Errorf("write to %s: %w", w.addr, err)
	}
	for n := 0; ; {
		if n == len(w.in) {
			w.in = append(w.in, w.in...) // parseAnswer has refused what exceeds the bounds
		}
		m, err := w.conn.Read(w.in[n:])
		if n += m; m > 0 {
			a, whole, err := parseAnswer(w.in[:n])
			if err != nil {
				return answer{}, fmt.Errorf("answer of %s: %w", w.addr, err)
			}
			if whole {
				w.broken = a.closes
				return a, nil
			}
		}
		if err != nil {
			return answer{}, fmt.Errorf("read from %s: %w", w.addr, err)
		}
	}
}

func (w *wire) dial() error {
	w.close()
	conn, err := net.DialTimeout("tcp", w.addr, dialMax)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreached, err)
	}
	w.conn, w.until, w.broken = conn, 0, false
	return nil
}

// extend moves the deadline. Setting one costs about as much as parsing an
// answer, so it is set for two answers' time and renewed when one is left.
func (w *wire) extend(now time.Duration) {
	if w.until-now < w.answerMax {
		w.until = now + 2*w.answerMax
		_ = w.conn.SetDeadline(w.began.Add(w.until)) // fails on a closed connection only, and then so does Write
	}
}

func (w *wire) close() {
	if w.conn != nil {
		_ = w.conn.Close() // nothing is buffered, so nothing is lost
		w.conn = nil
	}
}
