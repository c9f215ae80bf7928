package standin

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// traceEnv names the file of the trace. It tells tests which programs really ran, without asking the backend.
const traceEnv = "BAKTA_STAND_IN_TRACE"

// The events of a trace.
const (
	Began     = "began"     // right before the program prints its first line
	Succeeded = "succeeded" // after it has written all results
)

// Traced is an event of a run.
type Traced struct {
	Event   string
	At      time.Time
	Program string
	Dir     string // of the results, as the program was called with
}

// trace appends an event to the trace. Processes do so at the same time: a short write at the end of a file is not divided.
func (r *run) trace(event string) error {
	path := os.Getenv(traceEnv)
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s\t%s\t%s\t%s\n", event, time.Now().Format(time.RFC3339Nano), r.program, r.dir)
	return errors.Join(err, f.Close())
}

// ReadTrace returns the events in a trace. A file that does not exist has none.
func ReadTrace(path string) ([]Traced, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var events []Traced
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) != 4 {
			return nil, fmt.Errorf("%s: the line %q is not an event", path, lines.Text())
		}
		at, err := time.Parse(time.RFC3339Nano, fields[1])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		events = append(events, Traced{Event: fields[0], At: at, Program: fields[2], Dir: fields[3]})
	}
	return events, lines.Err()
}
