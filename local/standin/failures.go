package standin

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// failEnv asks for one of the failures below. All but failPartial act when coding sequences are looked for, so
// that a run has shown progress before.
const (
	failEnv       = "BAKTA_STAND_IN_FAIL"
	failError     = "error"      // a Bakta-like error line, exit status 1
	failTraceback = "traceback"  // a Python-like traceback, exit status 1
	failKill      = "kill"       // SIGKILL to itself, which is how a run out of memory looks from outside
	failOOM       = "oom"        // takes memory until it is killed; gives up at 4 GiB
	failHang      = "hang"       // runs a child process and waits for ever; only killing the group ends both
	failHangChild = "hang-child" // that child process
	failPartial   = "partial"    // succeeds, but leaves out the JSON file
)

// playFailure fails as the environment asks.
func (a *annotation) playFailure() error {
	switch play := os.Getenv(failEnv); play {
	case "", failPartial:
		return nil
	case failError:
		return fail("warning: this failure is played\nERROR: played failure!")
	case failTraceback:
		return fail("Traceback (most recent call last):\n  File \"bakta\", line 8, in <module>\n    sys.exit(main())\nValueError: played failure")
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
		for len(taken) < limit/block && a.ctx.Err() == nil {
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
		child := exec.CommandContext(a.ctx, program, os.Args[1:]...)
		child.Env = append(os.Environ(), failEnv+"="+failHangChild)
		return errors.Join(child.Run(), a.ctx.Err())
	default:
		return fmt.Errorf("%s: no failure is called %q", failEnv, play)
	}
}
