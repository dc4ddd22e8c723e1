package simulator

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// readLines calls each with every whole line and returns the position after the
// last one. A last line without its newline is not whole.
func readLines(r io.Reader, each func(line []byte) error) (end int64, err error) {
	lines := bufio.NewReaderSize(r, recordBytesMax)
	for n := 1; ; n++ {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return end, nil
		}
		if err != nil {
			return 0, fmt.Errorf("line %d: %w", n, err)
		}
		end += int64(len(line))
		if err := each(bytes.TrimSuffix(line, []byte{'\n'})); err != nil {
			return 0, fmt.Errorf("line %d: %w", n, err)
		}
	}
}
