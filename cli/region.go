package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"
)

// region is the lines at the bottom of a terminal that show how many things go on. They are drawn again and again; other lines appear above
// them. (Bars of mpb stand for one thing each, and are as many as the screen has lines; this needs a choice of hundreds, and a total.)
//
// The cursor stands at the beginning of the line behind the region. The mutex of the display guards it.
type region struct {
	lines []string // as they are to be
	drawn []int    // the widths of the lines that stand on the terminal
}

// show shows lines until end is called, on a terminal. They are asked for several times in a second, for a number of columns and rows that
// they may fill.
func (d *display) show(lines func(columns, rows int) []string) (end func()) {
	if !d.terminal {
		return func() {}
	}
	r := &region{}
	d.mu.Lock()
	d.takeBack()
	d.region = r
	d.mu.Unlock()
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(refresh)
		defer tick.Stop()
		for {
			columns, rows := sizeOfTerminal(d.w)
			next := lines(columns-1, max(1, rows-2)) // one for a notice, one for the cursor
			d.mu.Lock()
			r.lines = next
			if d.said != "" {
				r.lines = append(r.lines, clipped(shown(d.said), columns-1))
			}
			r.draw(d)
			d.mu.Unlock()
			select {
			case <-over:
				return
			case <-tick.C:
			}
		}
	}()
	return func() {
		close(over)
		<-done
		d.mu.Lock()
		defer d.mu.Unlock()
		r.clear(d)
		d.region = nil
	}
}

// sizeOfTerminal returns the columns and rows of a terminal.
func sizeOfTerminal(w io.Writer) (columns, rows int) {
	if file, ok := w.(*os.File); ok {
		if columns, rows, err := term.GetSize(int(file.Fd())); err == nil && columns > 0 && rows > 0 {
			return columns, rows
		}
	}
	return defaultColumns, 24
}

// draw draws the lines in place of those that stand there, in one write, so that nothing flickers.
func (r *region) draw(d *display) { r.above(d, func(io.Writer) {}) }

// clear takes the lines away.
func (r *region) clear(d *display) {
	var text bytes.Buffer
	r.erase(&text, d)
	d.w.Write(text.Bytes())
}

// above writes something above the lines.
func (r *region) above(d *display, write func(io.Writer)) {
	var text bytes.Buffer
	r.erase(&text, d)
	write(&text)
	for _, line := range r.lines {
		fmt.Fprintln(&text, line)
		r.drawn = append(r.drawn, runewidth.StringWidth(line))
	}
	d.w.Write(text.Bytes())
}

// erase moves the cursor to the first line, and takes away what is from there on. A terminal that became narrower has wrapped the lines.
// The carriage return is for the ^C that a terminal shows.
func (r *region) erase(text *bytes.Buffer, d *display) {
	if len(r.drawn) == 0 {
		return
	}
	columns, _ := sizeOfTerminal(d.w)
	rows := 0
	for _, width := range r.drawn {
		rows += max(1, (width+columns-1)/columns)
	}
	fmt.Fprintf(text, "\r\x1b[%dA\x1b[J", rows)
	r.drawn = r.drawn[:0]
}
