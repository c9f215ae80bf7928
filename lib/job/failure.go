package job

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
	OutOfDisk     FailureCode = "out_of_disk"   // ended at the limit of its disk space
	OutOfTime     FailureCode = "out_of_time"   // ran into its deadline
	Unschedulable FailureCode = "unschedulable" // no machine could take it, or begin it, for too long
	BadImage      FailureCode = "bad_image"     // the stage's program or image could not be had
	Internal      FailureCode = "internal"      // anything else: the operator's business
)
