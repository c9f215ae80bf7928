package stage

import (
	"fmt"
	"strings"
	"syscall"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// explain says in words why a program that ended with an exit code other than 0, or by a signal, failed. Its
// reason is what it said last on stderr.
func explain(c Command, r Result, stderr []byte) *job.Failure {
	f := &job.Failure{Code: job.Internal, Stage: c.Stage}
	signal := r.Signal
	if signal == "" && r.ExitCode > 128 && r.ExitCode < 128+32 {
		signal = signalName(syscall.Signal(r.ExitCode - 128)) // a program between passed it on
	}
	if signal != "" {
		// The limit of memory is the likeliest cause of SIGKILL, but from in here it can't be told from others.
		f.Message = fmt.Sprintf("%s was killed (%s).", c.Title, signal)
		return f
	}
	f.Code = job.BadInput
	f.Message = fmt.Sprintf("%s ended with an error: %s", c.Title, strings.TrimSpace(string(stderr)))
	return f
}
