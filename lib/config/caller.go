package config

import (
	"github.com/ag-computational-bio/bakta-web-backend/lib/settings"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// The largest limits of a caller. What a caller holds is kept in one document, by job, and every call of the caller writes it.
const (
	maxHeld    = 1000
	maxCounted = 1_000_000_000
)

// Settings returns the limits for the functions.
func (c Caller) Settings() settings.Caller {
	return settings.Caller{
		Unstarted: c.Unstarted, UploadBytes: c.UploadBytes.Floor(), StartsPerHour: c.StartsPerHour, StartsPerDay: c.StartsPerDay,
		Active: c.Active, Launched: c.Launched, CallsPerMinute: c.CallsPerMinute, IPv4Prefix: c.IPv4Prefix, IPv6Prefix: c.IPv6Prefix,
	}
}

func checkCaller(cfg *Config, found *findings) {
	c := cfg.Limits.Caller
	for _, limit := range []struct {
		key         string
		value, most int
	}{
		{"Unstarted", c.Unstarted, maxHeld},
		{"StartsPerHour", c.StartsPerHour, maxCounted},
		{"StartsPerDay", c.StartsPerDay, maxCounted},
		{"Active", c.Active, maxHeld},
		{"Launched", c.Launched, maxHeld},
		{"CallsPerMinute", c.CallsPerMinute, maxCounted},
	} {
		if limit.value < 0 || limit.value > limit.most {
			found.bad("Limits.Caller."+limit.key, "is %d; it must be 0 (no limit) to %d", limit.value, limit.most)
		}
	}
	if c.UploadBytes.Milli() > 0 {
		checkMemory("Limits.Caller.UploadBytes", c.UploadBytes, found)
		if most := uploadBytes(cfg.Limits.GenomeSize.Floor()); c.UploadBytes.Floor() < most && !found.failed("Limits.Caller.UploadBytes") {
			found.bad(
				"Limits.Caller.UploadBytes",
				"is %q, less than the uploads of one job may have, which is %d bytes; raise it",
				c.UploadBytes,
				most,
			)
		}
	}
	if c.IPv4Prefix < 8 || c.IPv4Prefix > 32 {
		found.bad("Limits.Caller.IPv4Prefix", "is %d; it must be 8 to 32", c.IPv4Prefix)
	}
	if c.IPv6Prefix < 16 || c.IPv6Prefix > 128 {
		found.bad("Limits.Caller.IPv6Prefix", "is %d; it must be 16 to 128", c.IPv6Prefix)
	}
	if c.Active > 0 && c.Launched > c.Active {
		found.bad("Limits.Caller.Launched", "is %d, more than Limits.Caller.Active, which is %d; lower it, or no job ever waits for its turn",
			c.Launched, c.Active)
	}
	if c.Launched > 0 && cfg.Job.Queue != "" {
		found.warn(found.lines["Limits.Caller.Launched"], "Limits.Caller.Launched has no effect, because the Kueue queue Job.Queue decides "+
			"when jobs run; remove one of the two")
	}
}

// uploadBytes returns how many bytes the uploads of one job may have, of the workflow where that is most.
func uploadBytes(genome int64) (most int64) {
	sizes := upload.MaxSizes(genome)
	for _, w := range workflow.Catalogue() {
		var sum int64
		for _, u := range w.Uploads {
			if limit, ok := sizes[u.Kind]; ok {
				sum += min(u.MaxSize, limit)
			} else {
				sum += u.MaxSize
			}
		}
		most = max(most, sum)
	}
	return most
}
