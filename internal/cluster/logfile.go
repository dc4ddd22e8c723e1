package cluster

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// logTailMax bounds what an error quotes from a log, in bytes.
const logTailMax = 2 << 10

// logFile is where a child writes, and where its present run begins in it.
type logFile struct {
	path  string
	start int64
}

// openLog opens path for appending; earlier runs' lines stay.
func openLog(path string) (logFile, *os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return logFile{}, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return logFile{}, nil, err
	}
	return logFile{path: path, start: info.Size()}, f, nil
}

// tail returns the last whole lines of this run, ready to follow an error
// message. A log that cannot be read is not worth hiding that message for.
func (l logFile) tail() string {
	f, err := os.Open(l.path)
	if err != nil {
		return ""
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	from := max(l.start, end-logTailMax)
	text, err := io.ReadAll(io.NewSectionReader(f, from, end-from))
	if err != nil || len(text) == 0 {
		return fmt.Sprintf(" (log %s says nothing)", l.path)
	}
	lines := strings.TrimRight(string(text), "\n")
	if from > l.start {
		_, lines, _ = strings.Cut(lines, "\n") // the first one is cut short
	}
	return fmt.Sprintf("; log %s ends:\n%s", l.path, lines)
}
