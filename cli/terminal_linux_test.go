package cli

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/ag-computational-bio/bakta-web-backend/cli/clitest"
)

const columns = 90

// terminal opens a terminal. What is typed goes to the keyboard, and what is written to it shows on the screen.
func terminal(t *testing.T) (tty, keyboard *os.File, shows *clitest.Screen) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 30, Col: columns}); err != nil {
		t.Fatal(err)
	}
	shows = &clitest.Screen{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(shows, master) // ends with an error when the last one that has the terminal closes it
	}()
	t.Cleanup(func() {
		tty.Close()
		master.Close()
		<-done
	})
	return tty, master, shows
}

var control = regexp.MustCompile(`^\x1b\[([0-9]*)([AJ])`)

// remains plays what a terminal was sent, and returns the lines that stand on it in the end.
func remains(t *testing.T, sent string) []string {
	t.Helper()
	page := [][]rune{nil}
	row, column := 0, 0
	for sent != "" {
		if code := control.FindStringSubmatch(sent); code != nil {
			sent = sent[len(code[0]):]
			switch code[2] {
			case "A":
				n, _ := strconv.Atoi(code[1])
				row = max(0, row-max(n, 1))
			case "J":
				page = page[:row+1]
				page[row] = page[row][:min(column, len(page[row]))]
			}
			continue
		}
		r, size := utf8.DecodeRuneInString(sent)
		sent = sent[size:]
		switch {
		case r == '\r':
			column = 0
		case r == '\n':
			row++
			for row >= len(page) {
				page = append(page, nil)
			}
		case r < ' ':
			t.Fatalf("the terminal is sent %q", r)
		default:
			if column == columns { // a full line wraps when more comes
				row, column = row+1, 0
				for row >= len(page) {
					page = append(page, nil)
				}
			}
			for column >= len(page[row]) {
				page[row] = append(page[row], ' ')
			}
			page[row][column] = r
			column++
		}
	}
	var lines []string
	for _, line := range page {
		lines = append(lines, strings.TrimRight(string(line), " "))
	}
	return strings.Split(strings.TrimRight(strings.Join(lines, "\n"), "\n"), "\n")
}

// TestTerminal: bars move while something goes on, named after Bakta's step, and leave the same lines as there
// are without a terminal.
func TestTerminal(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.takes = 2 * refresh // else no bar would be drawn between two changes
	u := clitest.NewUser(t, f.URL)
	tty, _, shows := terminal(t)
	cmd := u.Command("submit", "genome.fna", "--wait")
	cmd.Stderr = tty
	if err := cmd.Run(); err != nil {
		t.Fatal(err, shows)
	}
	shows.Await(t, "results "+firstID)
	sent := shows.String()
	for _, want := range []string{"waiting for the job to begin", "Parse genome sequences", "step 1 of 20", "predict tRNAs", "step 3 of 20",
		"[=", "]"} {
		if !strings.Contains(sent, want) {
			t.Errorf("%q didn't show in\n%q", want, sent)
		}
	}
	want := []string{"uploaded genome.fna (25 bytes)", "started job " + firstID + " on " + f.URL, "finished after a while",
		"To download the results:", "  bakta-web results " + firstID}
	if got := remains(t, took.ReplaceAllString(sent, "after a while")); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("what stays is\n%s\nof\n%q", strings.Join(got, "\n"), sent)
	}
}

// A server that is away for a moment leaves nothing on the terminal, neither while something is asked nor while a bar moves.
func TestTerminalTakesNoticesBack(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := clitest.NewUser(t, f.URL)
	away := map[string]int{"job/init": 2, "job/status": 2, "put genome_fasta": 1}
	f.mu.Lock()
	f.before = func(call string, w http.ResponseWriter, _ *http.Request) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		if away[call] == 0 {
			return false
		}
		away[call]--
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	f.mu.Unlock()
	tty, _, shows := terminal(t)
	cmd := u.Command("submit", "genome.fna", "--wait")
	cmd.Stderr = tty
	if err := cmd.Run(); err != nil {
		t.Fatal(err, shows)
	}
	shows.Await(t, "results "+firstID)
	sent := shows.String()
	if !strings.Contains(sent, "trying again") {
		t.Errorf("nothing says that the server is away:\n%q", sent)
	}
	want := []string{"uploaded genome.fna (25 bytes)", "started job " + firstID + " on " + f.URL, "finished after a while",
		"To download the results:", "  bakta-web results " + firstID}
	if got := remains(t, took.ReplaceAllString(sent, "after a while")); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("what stays is\n%s\nof\n%q", strings.Join(got, "\n"), sent)
	}
}

// TestTerminalInterrupt: Ctrl-C, typed.
func TestTerminalInterrupt(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.states = []string{"RUNNING"}
	u := clitest.NewUser(t, f.URL)
	tty, keyboard, shows := terminal(t)
	cmd := u.Command("submit", "genome.fna", "--wait")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	shows.Await(t, "predict tRNAs")
	if _, err := keyboard.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit code %d", code)
	}
	shows.Await(t, "bakta-web results --wait "+firstID)
	want := []string{"uploaded genome.fna (25 bytes)", "started job " + firstID + " on " + f.URL,
		"The job goes on without you. To come back:", "  bakta-web results --wait " + firstID}
	if got := remains(t, shows.String()); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("what stays is\n%s\nof\n%q", strings.Join(got, "\n"), shows)
	}
}

// TestTerminalMany: a line for each sample that something happens to and a total move; in the end the same lines stand there as without a
// terminal.
func TestTerminalMany(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := newCollection(t, f.URL, "a.fna", "b.fna")
	u.Write("genomes/bad.fna", "x")
	tty, _, shows := terminal(t)
	cmd := u.Command("submit", "genomes", "--out", "out", "--uploads", "1")
	cmd.Stderr = tty
	cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != exitSomeFailed {
		t.Errorf("exit code %d", code)
	}
	shows.Await(t, "3 samples")
	sent := shows.String()
	for _, want := range []string{"a                         running 00:0", "0 of 3 done, ", "1 failed"} {
		if !strings.Contains(sent, want) {
			t.Errorf("%q didn't show in\n%q", want, sent)
		}
	}
	left := remains(t, sent)
	joined := strings.Join(left, "\n")
	for _, want := range []string{"genomes: 3 genomes", "a: started job ", "a: done", "failed:", "3 samples: 2 done, 1 failed"} {
		if !strings.Contains(joined, want) {
			t.Errorf("%q does not stay:\n%s", want, joined)
		}
	}
	for _, line := range left {
		if strings.Contains(line, "of 3 done") || strings.Contains(line, "running") {
			t.Errorf("%q stays:\n%s", line, joined)
		}
	}
}

// TestTerminalManyNarrow: lines do not wrap, neither on a narrow terminal nor after it became narrower.
func TestTerminalManyNarrow(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.states = []string{"RUNNING"}
	u := newCollection(t, f.URL, "a.fna", "b.fna", "c.fna", "d.fna", "e.fna", "f.fna")
	tty, keyboard, shows := terminal(t)
	size := func(rows, columns uint16) {
		if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}); err != nil {
			t.Fatal(err)
		}
	}
	size(6, 50)
	cmd := u.Command("submit", "genomes", "--out", "out")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	shows.Await(t, "… and 4 more")
	shows.Await(t, "6 running")
	size(6, 20)
	shows.Await(t, "0 of 6 done, 6 run…")
	for _, line := range regexp.MustCompile(`\r|\n|\x1b\[[0-9]*[AJ]`).Split(shows.String(), -1) {
		if n := utf8.RuneCountInString(line); n > 49 && !strings.Contains(line, "job ") {
			t.Errorf("a line has %d characters: %q", n, line)
		}
	}
	if _, err := keyboard.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit code %d", code)
	}
	shows.Await(t, "Interrupted. 6 jobs go on without you.")
}
