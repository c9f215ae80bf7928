package cli

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal opens a terminal of 100 columns, and shows on the screen what is written to it.
func terminal(t *testing.T) (*os.File, *screen) {
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
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 30, Col: 100}); err != nil {
		t.Fatal(err)
	}
	shows := &screen{}
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
	return tty, shows
}

var control = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)

// remains plays what a terminal was sent, and returns the lines that stand on it in the end.
func remains(sent string) []string {
	var page []string
	row := 0
	for _, part := range strings.SplitAfter(strings.ReplaceAll(sent, "\r", ""), "\n") {
		for part != "" {
			at := control.FindStringIndex(part)
			text := part
			if at != nil {
				text = part[:at[0]]
			}
			for row >= len(page) {
				page = append(page, "")
			}
			page[row] += strings.TrimSuffix(text, "\n")
			if strings.HasSuffix(text, "\n") {
				row++
			}
			if at == nil {
				break
			}
			code := part[at[0]:at[1]]
			var n int
			fmt.Sscanf(code, "\x1b[%d", &n)
			switch code[len(code)-1] {
			case 'A':
				row = max(0, row-max(n, 1))
			case 'J':
				page = append(page[:row], "")
			case 'K':
				page[row] = ""
			}
			part = part[at[1]:]
		}
	}
	for len(page) > 0 && page[len(page)-1] == "" {
		page = page[:len(page)-1]
	}
	return page
}

// TestTerminal: bars move while something goes on, named after Bakta's step, and leave the same lines as there
// are without a terminal.
func TestTerminal(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := newUser(t, f.URL)
	tty, shows := terminal(t)
	cmd := u.command("submit", "genome.fna", "--wait")
	cmd.Stderr = tty
	if err := cmd.Run(); err != nil {
		t.Fatal(err, shows)
	}
	shows.await(t, "results "+firstID)
	sent := shows.String()
	for _, want := range []string{"waiting for the job to begin", "Parse genome sequences", "step 1 of 20", "predict tRNAs", "step 3 of 20", "[=", "]"} {
		if !strings.Contains(sent, want) {
			t.Errorf("%q didn't show in\n%q", want, sent)
		}
	}
	want := []string{"uploaded genome.fna (25 bytes)", "started job " + firstID + " on " + f.URL, "finished after a while",
		"To download the results:", "  bakta-web results " + firstID}
	if got := remains(took.ReplaceAllString(sent, "after a while")); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("what stays is\n%s\nof\n%q", strings.Join(got, "\n"), sent)
	}
}

// TestTerminalInterrupt: Ctrl-C, typed.
func TestTerminalInterrupt(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.states = []string{"RUNNING"}
	u := newUser(t, f.URL)
	tty, shows := terminal(t)
	cmd := u.command("submit", "genome.fna", "--wait")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	shows.await(t, "predict tRNAs")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit code %d", code)
	}
	shows.await(t, "bakta-web results --wait "+firstID)
	got := remains(shows.String())
	if n := len(got); n < 2 || got[n-2] != "The job goes on without you. To come back:" || got[n-1] != "  bakta-web results --wait "+firstID {
		t.Errorf("what stays is\n%s", strings.Join(got, "\n"))
	}
}
