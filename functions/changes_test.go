package functions

import (
	"context"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
)

// still is a store whose writes do nothing.
type still struct{ store.Jobs }

func (still) Submit(context.Context, string, job.Start, []job.Stage, time.Time, time.Time, time.Time) (bool, error) {
	return true, nil
}
func (still) Running(context.Context, string, int, []job.Stage, time.Time, time.Time, time.Time) (bool, error) {
	return true, nil
}
func (still) Finish(context.Context, string, int, job.End) (bool, error) { return true, nil }
func (still) Relaunch(context.Context, string, int, time.Time, time.Time) (bool, error) {
	return true, nil
}
func (still) Delete(context.Context, string, time.Time) (bool, error) { return true, nil }
func (still) Expire(context.Context, string, time.Time) (bool, error) { return true, nil }
func (still) Remove(context.Context, string) error                    { return nil }
func (still) Insert(context.Context, job.Job) error                   { return nil }
func (still) Launched(context.Context, string, int, string, time.Time) (bool, error) {
	return true, nil
}
func (still) SetBlocked(context.Context, string, job.Blocked) (bool, error)       { return true, nil }
func (still) Done(context.Context, string, []job.Effect, time.Time) (bool, error) { return true, nil }
func (still) Postpone(context.Context, string, time.Time, time.Time) error        { return nil }
func (still) SetDelivery(context.Context, string, time.Time, job.Delivery) (bool, error) {
	return true, nil
}
func (still) ExpireUnstarted(context.Context, time.Time, time.Time) (int, error) { return 0, nil }

// TestWritesAreNoticed calls each write of a job, and expects a notification, except of those that change nothing that is shown.
func TestWritesAreNoticed(t *testing.T) {
	t.Parallel()
	var c Changes
	n := 0
	stop := c.Watch("id", func(stored bool) {
		if stored {
			n++
		}
	})
	shown := []string{"Submit", "Running", "Finish", "SetDelivery", "Relaunch", "Delete", "Expire", "Remove"}
	hidden := []string{"Insert", "Launched", "Done", "Postpone", "ExpireUnstarted", "SetBlocked"}
	others := []string{
		"Setup", "Ping", "Get", "GetMany", "GetStates", "Owned", "Due", "Unstarted", "Waiting", "AddPastRun", "PastRuns",
		"Acquire", "Extend", "ReleaseLease",
	}
	jobs := reflect.ValueOf(noticed{still{}, &c})
	all := reflect.TypeFor[store.Jobs]()
	for i := range all.NumMethod() {
		name := all.Method(i).Name
		switch {
		case slices.Contains(shown, name), slices.Contains(hidden, name):
			method := jobs.MethodByName(name)
			args := []reflect.Value{reflect.ValueOf(t.Context())}
			for k := len(args); k < method.Type().NumIn(); k++ {
				args = append(args, reflect.Zero(method.Type().In(k)))
			}
			if args[1].Kind() == reflect.String {
				args[1] = reflect.ValueOf("id")
			}
			want := n
			if slices.Contains(shown, name) {
				want++
			}
			if method.Call(args); n != want {
				t.Errorf("after %s: %d notifications, want %d", name, n, want)
			}
			if !c.Written() || c.Written() {
				t.Errorf("%s is not noticed as a write, once", name)
			}
		case !slices.Contains(others, name):
			t.Errorf("%s is new: does it change a job? Then it has to be noticed", name)
		}
	}
	stop()
	c.stored("id")
	if n != len(shown) || len(c.watches) > 0 {
		t.Errorf("%d notifications, %d watches are left", n, len(c.watches))
	}
}

// TestChangesOfTheQueue are for all that wait, the first at once, and then few times in a second.
func TestChangesOfTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c Changes
		time.Sleep(time.Hour)
		c.Changed("") // no call waits
		var a, b int
		defer c.Watch("a", func(stored bool) {
			if !stored {
				a++
			}
		})()
		defer c.Watch("b", func(bool) { b++ })()
		began := time.Now()
		for range 1000 {
			c.Changed("")
			c.Changed("b")
			time.Sleep(time.Millisecond)
			if synctest.Wait(); time.Since(began) <= time.Millisecond && a != 1 {
				t.Errorf("after the first change: %d notifications", a)
			}
		}
		time.Sleep(time.Second)
		if a < 4 || a > 7 || b != a+1000 {
			t.Errorf("1,000 changes of the queue in a second are notified %d and %d times", a, b-1000)
		}
	})
}
