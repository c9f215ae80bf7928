package job

import "slices"

// Failure is why a job failed, in words that its owner understands.
type Failure struct {
	Code    FailureCode `json:"code"`
	Message string      `json:"message"`         // whole sentences; names the tool's own error where there is one
	Stage   string      `json:"stage,omitempty"` // the stage that failed; empty when none had begun
}

// FailureCode sorts failures for programs and alerts. The values are stable.
type FailureCode string

// The kinds of failure.
const (
	BadInput      FailureCode = "bad_input"     // the tool refused the input or the configuration
	OutOfMemory   FailureCode = "out_of_memory" // killed at its memory limit
	OutOfDisk     FailureCode = "out_of_disk"   // ended at the limit of its disk space, or left more than may be stored
	OutOfTime     FailureCode = "out_of_time"   // ran into its deadline
	Unschedulable FailureCode = "unschedulable" // no machine could take it, or begin it, for too long
	BadImage      FailureCode = "bad_image"     // the stage's program or image could not be had
	Internal      FailureCode = "internal"      // anything else: the operator's business
)

// FailureCodes lists every code.
func FailureCodes() []FailureCode {
	return []FailureCode{BadInput, OutOfMemory, OutOfDisk, OutOfTime, Unschedulable, BadImage, Internal}
}

// MaxMessage bounds the message of a failure, in bytes.
const MaxMessage = 2000

// Fit returns the failure of a run with these stages as it may be stored, told and counted, whoever wrote it: a code that
// is none of ours becomes Internal, the message is cleaned and cut, and a stage that the run does not have is left out.
func (f Failure) Fit(stages []Stage) Failure {
	if !slices.Contains(FailureCodes(), f.Code) {
		f.Code = Internal
	}
	if f.Message = Words(f.Message, MaxMessage); f.Message == "" {
		f.Message = "The job failed, and nothing says why. Please tell the operators."
	}
	if !slices.ContainsFunc(stages, func(s Stage) bool { return s.Name == f.Stage }) {
		f.Stage = ""
	}
	return f
}

// FitStages returns what was told of a run's stages as it may be stored: all that the run has, in their order, and of
// what was told nothing else. A stage of which nothing is told that can be stays as it was. If nothing is told it returns nil.
func FitStages(has, told []Stage) []Stage {
	if len(told) == 0 {
		return nil
	}
	fit := slices.Clone(has)
	for i := range fit {
		for _, s := range told {
			if s.Name == fit[i].Name && s.Status.Known() {
				fit[i].Status = s.Status
			}
		}
	}
	return fit
}
