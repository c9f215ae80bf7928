package limit

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
)

// heldPause is when a call that a list refuses may be tried again: it is not known when a job leaves the list.
const heldPause = 30 * time.Second

// refusal returns the error for the caller of a call that is refused.
func (l *Limiter) refusal(u store.Use, used store.Used) *job.Error {
	after := heldPause
	for _, w := range u.Windows {
		if w.Name == used.Refused {
			after = max(time.Second, free(w, used.Windows[w.Name]).Sub(when(u, used)))
		}
	}
	limits, words := l.o.Limits, ""
	switch used.Refused {
	case CallsPerMinute:
		words = fmt.Sprintf("at most %d calls a minute are allowed", limits.CallsPerMinute)
	case StartsPerHour:
		words = fmt.Sprintf("at most %d jobs may be started in an hour", limits.StartsPerHour)
	case StartsPerDay:
		words = fmt.Sprintf("at most %d jobs may be started in 24 hours", limits.StartsPerDay)
	case UnstartedJobs:
		words = fmt.Sprintf("at most %d jobs may be created and not started; start or delete some of yours", limits.Unstarted)
	case UploadBytes:
		words = fmt.Sprintf("the jobs that are created and not started may be uploads of %s; start or delete some of yours",
			units.BytesSize(float64(limits.UploadBytes)))
	case ActiveJobs:
		words = fmt.Sprintf("at most %d jobs may wait or run at the same time; wait until one of yours ends", limits.Active)
	}
	err := job.Errorf(job.Exhausted, "the limit %s is reached: %s; try again in %s", used.Refused, words, pause(after))
	err.Retry = &job.Retry{Limit: used.Refused, After: after}
	return err
}

// when returns the time of a call by the clock that the windows use, from what that call or an earlier one has used. What is less than a
// bucket of the shortest window may be the time that the store took.
func when(u store.Use, used store.Used) time.Time {
	if used.Skew.Abs() < time.Minute/store.Buckets {
		return u.At
	}
	return u.At.Add(used.Skew)
}

// pause writes a time for people, rounded up.
func pause(d time.Duration) string {
	if d > 2*time.Minute {
		return fmt.Sprintf("%d minutes", (d+time.Minute-1)/time.Minute)
	}
	return fmt.Sprintf("%d seconds", (d+time.Second-1)/time.Second)
}

// free returns when fewer calls than the limit count again.
func free(w store.Window, buckets []store.WindowCount) time.Time {
	sum := 0
	for _, b := range buckets {
		sum += b.Count
	}
	var at time.Time
	for _, b := range buckets {
		if sum < w.Limit {
			break
		}
		sum -= b.Count
		at = over(w, b)
	}
	return at
}

// over returns when a bucket counts no more.
func over(w store.Window, b store.WindowCount) time.Time {
	return w.Begin(b.Bucket + store.Buckets + 1)
}

// show adds to the fields RateLimit-Policy and RateLimit of the answer (draft-ietf-httpapi-ratelimit-headers-10). ahead calls are counted
// and were not made yet.
func show(ctx context.Context, u store.Use, used store.Used, ahead int) {
	c := FromContext(ctx)
	add := func(name string, quota, used int64, policy, limit string) {
		c.policies = append(c.policies, fmt.Sprintf("%q;q=%d%s", name, quota, policy))
		c.left = append(c.left, fmt.Sprintf("%q;r=%d%s", name, max(0, quota-used), limit))
	}
	for _, w := range u.Windows {
		sum, reset := int64(-ahead), ""
		for i, b := range used.Windows[w.Name] {
			if sum += int64(b.Count); i == 0 {
				reset = fmt.Sprintf(";t=%d", max(1, int64(over(w, b).Sub(when(u, used)).Seconds())))
			}
		}
		add(w.Name, int64(w.Limit), sum, fmt.Sprintf(";w=%d", int64(w.Length.Seconds())), reset)
	}
	for _, h := range u.Holds {
		if h.Optional {
			continue
		}
		jobs, bytes := int64(used.Held[h.Name]), used.Bytes[h.Name]
		if slices.Contains(used.Ahead, h.Name) { // these jobs were not created yet
			jobs, bytes = jobs-int64(len(h.Ahead)), bytes-int64(len(h.Ahead))*h.Bytes
		}
		if h.Limit > 0 {
			add(h.Name, int64(h.Limit), jobs, `;qu="concurrent-requests"`, "")
		}
		if h.BytesLimit > 0 {
			add(h.BytesName, h.BytesLimit, bytes, `;qu="content-bytes"`, "")
		}
	}
	if len(c.policies) > 0 {
		server.SetHeader(ctx, "RateLimit-Policy", strings.Join(c.policies, ", "))
		server.SetHeader(ctx, "RateLimit", strings.Join(c.left, ", "))
	}
}
