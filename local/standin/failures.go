package standin

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// failEnv asks for one of the failures below: "error" of every program, "baktfold:error" of that one alone. All but
// failPartial happen in the middle of the run, after it has shown progress.
const (
	failEnv       = "BAKTA_STAND_IN_FAIL"
	failError     = "error"      // prints an error line of Bakta's form, exit status 1
	failTraceback = "traceback"  // prints a Python traceback, exit status 1
	failKill      = "kill"       // sends SIGKILL to itself: from outside, this is what running out of memory looks like
	failOOM       = "oom"        // allocates memory until it is killed; gives up at 4 GiB
	failHang      = "hang"       // runs a child process and waits forever; only killing the process group ends both
	failHangChild = "hang-child" // that child process
	failPartial   = "partial"    // succeeds, but leaves out the JSON file
)

// asked returns the failure that the environment asks of this program.
func (r *run) asked() string {
	if program, play, ok := strings.Cut(os.Getenv(failEnv), ":"); !ok || program == r.program {
		return cmp.Or(play, program)
	}
	return ""
}

// playFailure fails as the environment asks.
func (r *run) playFailure() error {
	switch play := r.asked(); play {
	case "", failPartial:
		return nil
	case failError:
		return fail("warning: this failure is played\nERROR: played failure!")
	case failTraceback:
		return fail("Traceback (most recent call last):\n  File %q, line 8, in <module>\nValueError: played failure", r.program)
	case failKill:
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Kill()
		}
		time.Sleep(time.Minute) // the signal is on its way
		return err
	case failOOM:
		const block, limit = 64 << 20, 4 << 30
		var taken [][]byte
		for len(taken) < limit/block && r.ctx.Err() == nil {
			memory := make([]byte, block)
			for i := range memory {
				memory[i] = byte(i) // a page counts when it is written to
			}
			taken = append(taken, memory)
		}
		return fmt.Errorf("took %d MiB and was not killed", len(taken)*block>>20)
	case failHang:
		program, err := os.Executable()
		if err != nil {
			return err
		}
		child := exec.CommandContext(r.ctx, program, os.Args[1:]...)
		child.Env = append(os.Environ(), failEnv+"="+failHangChild)
		return errors.Join(child.Run(), r.ctx.Err())
	default:
		return fmt.Errorf("%s: unknown failure %q", failEnv, play)
	}
}
