package setdb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hongbao/internal/mariadb"
)

// dialBlocking connects with a socket whose reads block a thread instead of
// going through the runtime's poller. Few connections are made so: the lanes'.
//
// In a storm thousands of sockets are ready at once and the poller hands them
// out by the hundred, ten milliseconds apart while every processor is busy; a
// lane would wait behind all of them for each of the database's answers, and
// all openers behind the lane. A thread in read(2) is woken by the kernel, in turn.
func dialBlocking(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: mariadb.ConnectMax}
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil, fmt.Errorf("dial %s %s: not TCP", network, addr)
	}
	fd, err := duplicate(tcp)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), addr)
	wait := unix.NsecToTimeval(mariadb.SocketMax.Nanoseconds())
	if err := errors.Join(unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &wait)); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &blockingConn{file: file, local: tcp.LocalAddr(), remote: tcp.RemoteAddr()}, nil
}

// duplicate is the same socket in blocking mode, out of the poller's sight.
func duplicate(tcp *net.TCPConn) (fd int, err error) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, err
	}
	var dupErr error
	err = raw.Control(func(socket uintptr) { fd, dupErr = unix.FcntlInt(socket, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(err, dupErr); err != nil {
		return 0, err
	}
	return fd, unix.SetNonblock(fd, false)
}

// blockingConn is a net.Conn over a blocking socket. Its reads and writes end
// after mariadb.SocketMax at the latest; other deadlines are not supported.
type blockingConn struct {
	file          *os.File
	local, remote net.Addr
}

func (c *blockingConn) Read(b []byte) (int, error) {
	n, err := c.file.Read(b)
	if errors.Is(err, syscall.EAGAIN) {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

func (c *blockingConn) Write(b []byte) (int, error) { return c.file.Write(b) }

// Close wakes a thread that is blocked in Read, which closing alone would not.
func (c *blockingConn) Close() error {
	_ = unix.Shutdown(int(c.file.Fd()), unix.SHUT_RDWR) // already gone is fine
	return c.file.Close()
}

func (c *blockingConn) LocalAddr() net.Addr              { return c.local }
func (c *blockingConn) RemoteAddr() net.Addr             { return c.remote }
func (c *blockingConn) SetDeadline(time.Time) error      { return nil }
func (c *blockingConn) SetReadDeadline(time.Time) error  { return nil }
func (c *blockingConn) SetWriteDeadline(time.Time) error { return nil }

// SyscallConn lets the driver look, before it uses a pooled connection, whether
// the server has closed it meanwhile.
func (c *blockingConn) SyscallConn() (syscall.RawConn, error) { return unblocked{c}, nil }

// unblocked is the socket for looks that must not block. Nothing else uses the
// connection during one.
type unblocked struct{ *blockingConn }

func (u unblocked) Control(look func(fd uintptr)) error {
	fd := u.file.Fd()
	if err := unix.SetNonblock(int(fd), true); err != nil {
		return err
	}
	look(fd)
	return unix.SetNonblock(int(fd), false)
}

func (u unblocked) Read(look func(fd uintptr) bool) error {
	return u.Control(func(fd uintptr) { look(fd) })
}

func (u unblocked) Write(look func(fd uintptr) bool) error {
	return u.Control(func(fd uintptr) { look(fd) })
}
