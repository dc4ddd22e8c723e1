package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/go-json-experiment/json"
)

const (
	// changesMax bounds the changes that wait for the writer.
	changesMax = 1024
	// batchMax is how many changes share one fsync.
	batchMax = 256
	// recordBytesMax bounds one line when the ledger file is read back: that of a
	// batch, which is no longer than the request for it.
	recordBytesMax = BatchBytesMax
)

var ErrStopped = errors.New("the ledger is closed")

// change is a decision to be made under the lock. It may return no record: then
// nothing changes.
type change struct {
	decide func(*Book) (*Record, error)
	done   chan error // buffered, answered once
}

// Journal makes changes one after the other and durable together. One goroutine
// runs it; it alone writes the file and the book.
type Journal struct {
	Book    *Book
	file    *os.File
	changes chan change
	stopped chan struct{}
}

// Open locks the ledger file and reads it into a new book.
func Open(name string) (*Journal, error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	j := &Journal{Book: newBook(ordersMax), file: file, changes: make(chan change, changesMax), stopped: make(chan struct{})}
	if err := j.replay(); err != nil {
		file.Close()
		return nil, fmt.Errorf("ledger %s: %w", name, err)
	}
	return j, nil
}

// Close gives back the file of a journal that is not run.
func (j *Journal) Close() error { return j.file.Close() }

func (j *Journal) replay() error {
	if err := syscall.Flock(int(j.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("another process has it: %w", err)
	}
	end, err := readLines(j.file, func(line []byte) error {
		var r Record
		if err := json.Unmarshal(line, &r); err != nil {
			return err
		}
		return j.Book.apply(&r)
	})
	if err != nil {
		return err
	}
	// What follows the last newline is a write that was cut short: its fsync
	// never returned, so no answer was given.
	if err := j.file.Truncate(end); err != nil {
		return err
	}
	if _, err := j.file.Seek(end, io.SeekStart); err != nil {
		return err
	}
	return j.file.Sync()
}

// Commit has the change made and returns once it is on disk. If ctx ends first,
// whether the change is made is open.
func (j *Journal) Commit(ctx context.Context, decide func(*Book) (*Record, error)) error {
	c := change{decide: decide, done: make(chan error, 1)}
	select {
	case j.changes <- c:
	case <-j.stopped:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-c.done:
		return err
	case <-j.stopped:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run makes changes until ctx ends, which is nil, or the disk fails. After a
// failed fsync the content of the disk is unknown, so the book is not to be used again:
// the process has to end and read the file back.
func (j *Journal) Run(ctx context.Context) error {
	defer j.file.Close()
	defer close(j.stopped)
	batch := make([]change, 0, batchMax)
	for {
		select {
		case c := <-j.changes:
			batch = j.gather(append(batch[:0], c))
		case <-ctx.Done():
			return nil
		}
		if err := j.write(batch); err != nil {
			return err
		}
	}
}

// gather adds the changes that wait already.
func (j *Journal) gather(batch []change) []change {
	for len(batch) < batchMax {
		select {
		case c := <-j.changes:
			batch = append(batch, c)
		default:
			return batch
		}
	}
	return batch
}

// write decides a batch, writes what it decided, and answers after the fsync.
func (j *Journal) write(batch []change) error {
	j.Book.mu.Lock()
	defer j.Book.mu.Unlock()
	answers, lines, err := j.decide(batch)
	if err == nil && len(lines) > 0 {
		if _, err = j.file.Write(lines); err == nil {
			err = j.file.Sync()
		}
	}
	if err != nil {
		j.Book.broken = fmt.Errorf("ledger: %w", err)
		return j.Book.broken
	}
	for i, c := range batch {
		c.done <- answers[i]
	}
	return nil
}

// decide applies the batch to the book, one change after the other.
func (j *Journal) decide(batch []change) (answers []error, lines []byte, err error) {
	answers = make([]error, len(batch))
	var buf bytes.Buffer
	for i, c := range batch {
		r, err := c.decide(j.Book)
		if answers[i] = err; r == nil {
			continue
		}
		if err := j.Book.apply(r); err != nil {
			return nil, nil, err
		}
		if err := json.MarshalWrite(&buf, r); err != nil {
			return nil, nil, err
		}
		buf.WriteByte('\n')
	}
	return answers, buf.Bytes(), nil
}
