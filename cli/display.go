package cli

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/cupwriter"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// display shows how things go. On a terminal one bar moves at a time, with lines above it; when it ends it
// leaves nothing but its last line. Elsewhere there are only lines.
type display struct {
	w        io.Writer
	terminal bool

	mu      sync.Mutex
	said    string        // the last notice
	noticed bool          // it stands on the terminal, on a line that is not ended
	bars    *mpb.Progress // contains the bar that moves now
	region  *region       // lines that are drawn again and again
}

func newDisplay(w io.Writer, env func(string) string) *display {
	return &display{w: w, terminal: isTerminal(w) && env("TERM") != "dumb"}
}

func isTerminal(w io.Writer) bool {
	file, isFile := w.(*os.File)
	return isFile && term.IsTerminal(int(file.Fd()))
}

// defaultColumns is the width of a table that is not written to a terminal.
const defaultColumns = 80

// columnsOf returns how wide a terminal is.
func columnsOf(w io.Writer) int {
	if isTerminal(w) {
		if width, _, err := term.GetSize(int(w.(*os.File).Fd())); err == nil && width > 0 {
			return width
		}
	}
	return defaultColumns
}

// line shows a line that stays.
func (d *display) line(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.write(fmt.Sprintf(format, args...))
}

// notice shows a temporary state: a server is not reachable, and is asked again. On a terminal it is taken back by the
// next thing that shows; elsewhere it is a line, once for all tries.
func (d *display) notice(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	text := shown(fmt.Sprintf(format, args...))
	if text == d.said {
		return
	}
	d.said = text
	switch {
	case !d.terminal:
		fmt.Fprintln(d.w, text)
	case d.bars == nil && d.region == nil: // else they show it
		d.takeBack()
		// A line that is longer than the terminal's would leave its beginning behind.
		fmt.Fprint(d.w, clipped(text, columnsOf(d.w)-1))
		d.noticed = true
	}
}

// passed ends the state that the last notice shows.
func (d *display) passed() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.said = ""
	d.takeBack()
}

func (d *display) takeBack() {
	if d.noticed {
		fmt.Fprint(d.w, "\r\x1b[J")
		d.noticed = false
	}
}

func (d *display) write(text string) {
	d.takeBack()
	if d.region != nil {
		d.region.above(d, func(w io.Writer) { fmt.Fprintln(w, harmless(text)) })
		return
	}
	w := io.Writer(d.w)
	if d.bars != nil {
		w = d.bars
	}
	fmt.Fprintln(w, harmless(text))
}

// over returns a writer to the same terminal that takes back a notice before it writes.
func (d *display) over(w io.Writer) io.Writer { return &over{w, d} }

type over struct {
	w       io.Writer
	display *display
}

func (o *over) Write(p []byte) (n int, err error) {
	d := o.display
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.region == nil {
		d.said = ""
		d.takeBack()
		return o.w.Write(p)
	}
	d.region.clear(d)
	n, err = o.w.Write(p)
	d.region.draw(d)
	return n, err
}

// bar shows one thing that goes on.
type bar struct {
	display *display
	bar     *mpb.Bar // nil without a terminal

	mu    sync.Mutex
	label string
}

// unit is what a bar counts.
type unit int

const (
	inBytes unit = iota
	inSteps
)

// refresh is how often a bar is drawn.
const refresh = 150 * time.Millisecond

// start shows an activity whose size is not known yet. end must be called.
func (d *display) start(label string, counts unit) *bar {
	b := &bar{display: d, label: label}
	if !d.terminal {
		d.line("%s", label)
		return b
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.takeBack()
	count := decor.Any(func(s decor.Statistics) string {
		switch {
		case s.Total <= 0:
			return ""
		case counts == inBytes:
			return fmt.Sprintf(" %s of %s", bytesText(s.Current), bytesText(s.Total))
		}
		return fmt.Sprintf(" step %d of %d", s.Current, s.Total)
	})
	d.bars = mpb.New(mpb.WithConsoleWriter(d.console()), mpb.WithWidth(30), mpb.WithRefreshRate(refresh))
	b.bar = d.bars.AddBar(
		0,
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(
			decor.Any(func(decor.Statistics) string { return clipped(b.text(), 40) }, decor.WC{W: 40, C: decor.DindentRight}),
		),
		mpb.AppendDecorators(decor.Elapsed(decor.ET_STYLE_MMSS), count),
	)
	return b
}

// console draws bars at the beginning of a line. The terminal shows ^C for the key, where the cursor stands; a bar
// that was drawn behind that would be too long for its line, and stay.
func (d *display) console() *cupwriter.Writer {
	console := cupwriter.New(lineStart{d.w}, false)
	if file, ok := d.w.(*os.File); ok {
		console.SetTermFd(int(file.Fd()))
	}
	return console
}

// lineStart begins each write at the beginning of the line.
type lineStart struct{ w io.Writer }

func (l lineStart) Write(p []byte) (int, error) {
	n, err := l.w.Write(append([]byte{'\r'}, p...))
	return max(0, n-1), err
}

// text is what the bar says: the notice, if there is one, else its label.
func (b *bar) text() string {
	b.display.mu.Lock()
	notice := b.display.said
	b.display.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	return shown(cmp.Or(notice, b.label))
}

// set shows how far it is; a total of 0 means that it is not known.
func (b *bar) set(current, total int64) {
	if b.bar == nil || total <= 0 {
		return
	}
	b.display.passed()
	b.bar.SetTotal(total, false)
	b.bar.SetCurrent(current)
}

// rename shows what goes on now, on a terminal.
func (b *bar) rename(label string) (changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	changed = label != b.label
	b.label = label
	return changed
}

// step shows what goes on now; without a terminal by a line of its own, behind its position.
func (b *bar) step(label, position string) {
	if b.rename(label) && b.bar == nil {
		b.display.line("%s", strings.TrimSpace(position+" "+label))
	}
}

// end takes the bar away. format, unless empty, is the line that stays in its place.
func (b *bar) end(format string, args ...any) {
	d := b.display
	if b.bar != nil {
		b.bar.Abort(true)
		d.mu.Lock()
		bars := d.bars
		d.bars = nil
		d.mu.Unlock()
		if bars != nil {
			bars.Wait()
		}
	}
	if format != "" {
		d.line(format, args...)
	}
}
