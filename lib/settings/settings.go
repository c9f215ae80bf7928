// Package settings holds the times and limits that the functions share, and their defaults. lib/config reads them from a
// file, `bakta-web local` from its flags.
package settings

import "time"

// Caller are the limits of each caller. A limit of 0 is off.
type Caller struct {
	Unstarted      int   // jobs that are created and not started
	UploadBytes    int64 // that the upload links of these jobs allow
	StartsPerHour  int   //
	StartsPerDay   int   //
	Active         int   // jobs that wait or run; a start above it is refused
	Launched       int   // runs that are launched at once; a start above it is accepted, and waits for its turn
	CallsPerMinute int   // of any method

	IPv4Prefix, IPv6Prefix int // bits of an address that name the network of a caller without a token
}

// Off reports whether all limits are off.
func (c Caller) Off() bool {
	return c == Caller{IPv4Prefix: c.IPv4Prefix, IPv6Prefix: c.IPv6Prefix}
}

// Settings are the times and limits of a backend.
type Settings struct {
	Retention   time.Duration // how long a job is kept after its last change of state
	UploadTTL   time.Duration // how long an upload link is valid
	DownloadTTL time.Duration // how long a download link is valid; S3 allows at most 7 days

	PendingTimeout  time.Duration // how long a run may wait for a node; then the job fails
	ImageTimeout    time.Duration // how long a run may wait for an image or a container; 0: PendingTimeout
	RecheckInterval time.Duration // how long after the last news of a run the sweep observes the run itself
	// WaitInterval is how long after a run was launched, or was last seen waiting, the sweep observes it if it still waits;
	// 0: RecheckInterval. It may be long where the runner reports each change of a run until that is recorded.
	WaitInterval time.Duration
	// InFlight is how long a call can act on a job that it has read: the longest deadline of a call, and some more. It is 0
	// where all calls end with the runner.
	InFlight time.Duration

	// ClockSkew is how much the clocks of the processes may differ. What is compared with a time that another process has written, and does
	// harm if it comes too early, waits so much longer. It is 0 where there is one process.
	ClockSkew time.Duration

	MaxList      int              // how many jobs one list may ask for
	MaxUnstarted int              // how many jobs may be created and not started, of all callers together, about
	Caller       Caller           // of each caller
	SweepJobs    int              // how many jobs a sweep handles at once
	ExpiryNotice time.Duration    // how long before a job expires a message is sent about that; 0: none is
	EndCommand   bool             // a command is run at the end of each job
	MaxSizes     map[string]int64 // bytes by kind of upload, where the deployment allows less than lib/upload; nil: nowhere
}

const day = 24 * time.Hour

// Default returns the settings of a deployment that configures nothing.
func Default() Settings {
	return Settings{
		Retention:   30 * day,
		UploadTTL:   10_000 * time.Second, // clients rely on it
		DownloadTTL: 6 * day,

		PendingTimeout: day,
		// A registry that is away for some minutes must not fail jobs, and an image that does not exist must not let them
		// wait for a day.
		ImageTimeout: 30 * time.Minute,
		// Events are faster when they come, and they need not come.
		RecheckInterval: 2 * time.Minute,
		InFlight:        2 * time.Minute,
		ClockSkew:       2 * time.Minute,

		ExpiryNotice: 3 * day,

		MaxList:      1000,
		MaxUnstarted: 10_000,
		Caller:       Caller{IPv4Prefix: 32, IPv6Prefix: 64},
		SweepJobs:    8,
	}
}
