package ledger

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
)

// readLines calls each with every whole line, of at most recordBytesMax, and
// returns the position after the last one. A last line without its newline is
// not whole.
func readLines(r io.Reader, each func(line []byte) error) (end int64, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, recordBytesMax)
	lines.Split(func(data []byte, _ bool) (int, []byte, error) {
		n := bytes.IndexByte(data, '\n')
		if n < 0 {
			return 0, nil, nil
		}
		return n + 1, data[:n], nil
	})
	n := 1
	for ; lines.Scan(); n++ {
		if err := each(lines.Bytes()); err != nil {
			return 0, fmt.Errorf("line %d: %w", n, err)
		}
		end += int64(len(lines.Bytes())) + 1
	}
	if err := lines.Err(); err != nil {
		return 0, fmt.Errorf("line %d: %w", n, err)
	}
	return end, nil
}
