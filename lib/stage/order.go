package stage

import "time"

// Order asks a stager that serves many runs to run the program of a stage. The one that orders keeps the records of the run, see
// Options.Fresh.
type Order struct {
	Dir     string        `json:"dir"` // the run's directory
	Command Command       `json:"command"`
	Grace   time.Duration `json:"grace"` // from SIGTERM to SIGKILL; DefaultGrace if zero
	Limit   time.Duration `json:"limit"` // a program that runs longer is ended, and its stage fails; no limit if zero
}
