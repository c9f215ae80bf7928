package job

import "slices"

// Failure is the reason why a job failed, written for its owner.
type Failure struct {
	Code    FailureCode `json:"code"`
	Message string      `json:"message"`         // whole sentences, with the program's own error if there is one
	Stage   string      `json:"stage,omitempty"` // the stage that failed; empty if none had begun
}

// FailureCode sorts failures for programs and alerts. The values are stable.
type FailureCode string

// The kinds of failure.
const (
	BadInput      FailureCode = "bad_input"     // the program refused the input or the configuration
	OutOfMemory   FailureCode = "out_of_memory" // killed at its memory limit
	OutOfDisk     FailureCode = "out_of_disk"   // ended at the limit of its disk space, or its results exceed their limit
	OutOfTime     FailureCode = "out_of_time"   // ended at its deadline
	Unschedulable FailureCode = "unschedulable" // no node could take it, or start it, for too long
	BadImage      FailureCode = "bad_image"     // the stage's program or image is not available
	Internal      FailureCode = "internal"      // anything else, which the operators have to correct
)

// FailureCodes lists every code.
func FailureCodes() []FailureCode {
	return []FailureCode{BadInput, OutOfMemory, OutOfDisk, OutOfTime, Unschedulable, BadImage, Internal}
}

// MaxMessage bounds the message of a failure, in bytes.
const MaxMessage = 2000

// Fit returns the failure as it may be stored, shown and counted, for a run with these stages. The failure may come from any program: an
// unknown code becomes Internal, the message is cleaned and cut, and an unknown stage is removed.
func (f Failure) Fit(stages []Stage) Failure {
	if !slices.Contains(FailureCodes(), f.Code) {
		f.Code = Internal
	}
	if f.Message = Words(f.Message, MaxMessage); f.Message == "" {
		f.Message = "The job failed for an unknown reason. Please contact the operators."
	}
	if !slices.ContainsFunc(stages, func(s Stage) bool { return s.Name == f.Stage }) {
		f.Stage = ""
	}
	return f
}

// FitStages returns the stages of a run as they may be stored, in their order, with the states that were reported. Reports of unknown
// stages or with unknown states are ignored. It returns nil if no stage is reported.
func FitStages(has, reported []Stage) []Stage {
	if len(reported) == 0 {
		return nil
	}
	fit := slices.Clone(has)
	for i := range fit {
		for _, s := range reported {
			if s.Name == fit[i].Name && s.Status.Known() {
				fit[i].Status = s.Status
			}
		}
	}
	return fit
}
