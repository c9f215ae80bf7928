package runnertest

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
)

// suite is one test of the suite.
type suite struct {
	*testing.T
	Fixture
}

var errEnough = errors.New("enough")

// newJob returns a started job whose genome is uploaded. Its runs do what the program says.
func (s *suite) newJob(p Program) job.Job {
	s.Helper()
	j, err := s.NewJob(s.Context(), p)
	if err != nil {
		s.Fatal(err)
	}
	return j
}

// NewJob returns a started job whose genome is uploaded. Its runs do what the program says.
func (f Fixture) NewJob(ctx context.Context, p Program) (job.Job, error) {
	j := job.Job{ID: uuid.NewString(), Workflow: "bakta", State: job.Submitted, Run: 1, Started: time.Now()}
	file, err := f.Files.Put(ctx, job.UploadKey(j.ID, upload.GenomeFASTA), strings.NewReader(genome), int64(len(genome)))
	if err != nil {
		return job.Job{}, err
	}
	j.Start = &job.Start{Config: []byte(p), Inputs: []job.Input{{
		Kind: upload.GenomeFASTA, Size: file.Size, ETag: file.ETag, Name: inputName,
	}}}
	return j, nil
}

// as returns the job with another program.
func (s *suite) as(j job.Job, p Program) job.Job {
	start := *j.Start
	start.Config = []byte(p)
	j.Start = &start
	return j
}

func (s *suite) ok(call string, err error) {
	s.Helper()
	if err != nil {
		s.Errorf("%s: %v", call, err)
	}
}

// until waits until a condition holds.
func (s *suite) until(what string, holds func() bool) {
	s.Helper()
	for deadline := time.Now().Add(s.Timeout); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatalf("waited %v for %s", s.Timeout, what)
		}
	}
}

// together calls f from n goroutines at once.
func (s *suite) together(n int, f func() error) {
	s.Helper()
	failures := make([]error, n)
	var group sync.WaitGroup
	for i := range failures {
		group.Go(func() { failures[i] = f() })
	}
	group.Wait()
	if err := errors.Join(failures...); err != nil {
		s.Fatal(err)
	}
}

func (s *suite) launch(j job.Job) {
	s.Helper()
	if err := s.tryLaunch(j); err != nil {
		s.Fatal(err)
	}
}

// tryLaunch launches a run, whose object must have the name that only this run has.
func (s *suite) tryLaunch(j job.Job) error {
	name, err := s.Runner.Launch(s.Context(), j)
	if want := job.ObjectName(j.ID, j.Run); err == nil && name != want {
		err = errors.New("the object's name is " + name + ", not " + want)
	}
	return err
}

func (s *suite) observe(j job.Job) job.Observation {
	s.Helper()
	o, err := s.Runner.Observe(s.Context(), j)
	if err != nil {
		s.Fatal(err)
	}
	return o
}

// await waits until a launched run is in a phase. Until then it is never absent, and its stages are those of the spec.
func (s *suite) await(j job.Job, phase job.Phase) job.Observation {
	s.Helper()
	var o job.Observation
	names := []string{FirstStage, SecondStage}
	for deadline := time.Now().Add(s.Timeout); ; time.Sleep(20 * time.Millisecond) {
		o = s.observe(j)
		if o.Phase == job.Absent {
			s.Fatalf("the launched run %d of job %s is absent", j.Run, j.ID)
		}
		for i, stage := range o.Stages {
			if len(o.Stages) != len(names) || stage.Name != names[i] {
				s.Fatalf("stages: %+v", o.Stages)
			}
		}
		if o.Phase == phase {
			return o
		}
		if o.Phase == job.Ended || time.Now().After(deadline) {
			s.Fatalf("waited for phase %d of run %d of job %s: %+v", phase, j.Run, j.ID, o)
		}
	}
}

// begun waits until a run that hangs has printed that it has begun.
func (s *suite) begun(j job.Job) {
	s.Helper()
	s.await(j, job.Active)
	s.until("the output of a stage that executes", func() bool {
		text, err := s.log(j, FirstStage)
		if err != nil && !job.Is(err, job.NotFound) && !job.Is(err, job.Unavailable) {
			s.Fatalf("the log of a stage that executes: %v", err)
		}
		return strings.HasPrefix(text, "First Command: /bin/sh -c ") && strings.HasSuffix(text, "\n"+begun+"\n")
	})
}

// finished waits for the end of a run that succeeds, and checks what it has stored.
func (s *suite) finished(j job.Job) {
	s.Helper()
	o := s.await(j, job.Ended)
	if o.Failure != nil || o.Interrupted || o.Since.IsZero() {
		s.Errorf("observed at the end: %+v", o)
	}
	for _, stage := range o.Stages {
		if stage.Status == job.StagePending || stage.Status == job.StageFailed {
			s.Errorf("a stage of a run that succeeded: %+v", stage)
		}
	}
	m, found := s.manifest(j)
	if !found || m.Outcome != stage.Succeeded || m.Failure != nil {
		s.Fatalf("found a manifest: %t; %+v", found, m)
	}
	if len(m.Stages) != 2 || m.Stages[0].Status != job.StageSucceeded || m.Stages[1].Status != job.StageSucceeded {
		s.Errorf("stages in the manifest: %+v", m.Stages)
	}
	s.stored(m.Files, "txt", genome)
	s.stored(m.Logs, FirstStage, "\n"+working+"\n")
	s.stored(m.Logs, SecondStage, "Second Command: ")
}

// manifest returns a run's manifest, if it has one. All that it names must be stored.
func (s *suite) manifest(j job.Job) (stage.Manifest, bool) {
	s.Helper()
	content, err := s.Files.Get(s.Context(), job.ManifestKey(j.ID, j.Run), 1<<20)
	if job.Is(err, job.NotFound) {
		return stage.Manifest{}, false
	}
	if err != nil {
		s.Fatal(err)
	}
	m, err := stage.ReadManifest(content)
	if err == nil {
		err = stage.Check(m, j.ID, j.Run, s.list(j))
	}
	if err != nil {
		s.Fatal(err)
	}
	return m, true
}

// list returns what a run has stored.
func (s *suite) list(j job.Job) []job.File {
	s.Helper()
	files, err := s.Files.List(s.Context(), job.RunPrefix(j.ID, j.Run))
	if err != nil {
		s.Fatal(err)
	}
	return files
}

// nothingStored checks that a run has stored nothing.
func (s *suite) nothingStored(j job.Job) {
	s.Helper()
	if files := s.list(j); len(files) > 0 {
		s.Errorf("run %d has stored %+v", j.Run, files)
	}
}

// stored checks that one of the files has that name, and that its content contains a text.
func (s *suite) stored(files []job.File, name, text string) {
	s.Helper()
	i := slices.IndexFunc(files, func(f job.File) bool { return f.Name == name })
	if i < 0 {
		s.Errorf("%s is not in %+v", name, files)
		return
	}
	content, err := s.Files.Get(s.Context(), files[i].Key, 1<<20)
	if err != nil || !strings.Contains(string(content), text) {
		s.Errorf("%s contains %q, %v; it must contain %q", name, content, err, text)
	}
}

// log returns a stage's output so far.
func (s *suite) log(j job.Job, stage string) (string, error) {
	r, err := s.Runner.Log(s.Context(), j, stage)
	if err != nil {
		return "", err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return string(b), err
}

// tails compares ends of the log of the first stage, which begun has waited for, with the log. A kubelet adds nothing to it.
func (s *suite) tails(j job.Job) {
	s.Helper()
	log, err := s.log(j, FirstStage)
	s.ok("Log", err)
	for _, limit := range []int64{0, 3, int64(len(log)), 1 << 20} {
		tail, err := s.Runner.Tail(s.Context(), j, FirstStage, limit)
		if want := log[max(0, int64(len(log))-limit):]; err != nil || string(tail) != want {
			s.Errorf("the last %d bytes of the log are %q, %v, want %q", limit, tail, err, want)
		}
	}
	if _, err := s.Runner.Tail(s.Context(), j, SecondStage, 1); !job.Is(err, job.NotFound) {
		s.Errorf("the end of the log of a stage that has not begun: %v", err)
	}
}

func (s *suite) hasNoLog(j job.Job, stage string) bool {
	_, err := s.log(j, stage)
	return job.Is(err, job.NotFound)
}

func (s *suite) noLog(j job.Job, stage string) {
	s.Helper()
	if text, err := s.log(j, stage); !job.Is(err, job.NotFound) {
		s.Errorf("the log of %s in run %d: %q, %v", stage, j.Run, text, err)
	}
}

func (s *suite) absent(j job.Job) {
	s.Helper()
	if o := s.observe(j); o.Phase != job.Absent {
		s.Errorf("run %d of job %s must be absent: %+v", j.Run, j.ID, o)
	}
}

// discard discards a run that was not released, and waits until its object is removed.
func (s *suite) discard(j job.Job) {
	s.Helper()
	s.ok("Discard", s.Runner.Discard(s.Context(), j))
	s.until("the end of a discarded run's object", func() bool { return s.observe(j).Phase == job.Absent })
}

// stop stops a job, again while something of it still ends. Afterwards no process of it is alive.
func (s *suite) stop(id string) {
	s.Helper()
	s.until("the end of a stopped job", func() bool {
		err := s.Runner.Stop(s.Context(), id)
		if err != nil && !job.Is(err, job.NotReady) {
			s.Fatalf("Stop: %v", err)
		}
		return err == nil
	})
	if s.Executes(s.T, id) {
		s.Errorf("a process of job %s is alive after Stop", id)
	}
}

// held returns the jobs that Held visits.
func (s *suite) held(before time.Time) map[string]bool {
	s.Helper()
	ids := make(map[string]bool)
	err := s.Held.Held(s.Context(), before, func(id string) error { ids[id] = true; return nil })
	if err != nil {
		s.Fatal(err)
	}
	return ids
}
