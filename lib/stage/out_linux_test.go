package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// perform runs a run's stages.
func perform(t *testing.T, s Spec) {
	t.Helper()
	for _, c := range s.Stages {
		if _, err := Run(t.Context(), c, s.Dir, Options{Environ: Environment(os.Environ())}); err != nil {
			t.Fatal(err)
		}
	}
}

func second(script string) Command {
	c := shell(script)
	c.Stage, c.Title = "second", "Second"
	return c
}

func TestOut(t *testing.T) {
	t.Parallel()
	files := bucket(t)
	secret := filepath.Join(t.TempDir(), "result.gff3")
	if err := os.WriteFile(secret, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	const (
		first = "echo one; echo 1 > ../out/bakta/result.gff3; echo 1 > ../out/bakta/result.svg"
		then  = "echo two; : > ../out/second/result.gff3"
	)
	pending, done, failed := job.StagePending, job.StageSucceeded, job.StageFailed
	tests := []struct {
		name    string
		stages  []Command
		status  []job.StageStatus
		files   []string
		logs    []string
		code    job.FailureCode
		message string
	}{
		{"success", []Command{shell(first), second(then)}, []job.StageStatus{done, done},
			[]string{"bakta.gff3", "bakta.svg", "second.gff3"}, []string{"bakta", "second"}, "", ""},
		{"a result that may be missing is", []Command{shell("echo 1 > ../out/bakta/result.gff3")}, []job.StageStatus{done},
			[]string{"bakta.gff3"}, []string{"bakta"}, "", ""},
		{"a result that must be there is not", []Command{shell(first), second("true")}, []job.StageStatus{done, done},
			[]string{"bakta.gff3", "bakta.svg"}, []string{"bakta", "second"}, job.Internal, "did not write these results: result.gff3"},
		{"a result is a link to a file of another user", []Command{shell("ln -s " + secret + " ../out/bakta/result.gff3")},
			[]job.StageStatus{done},
			nil, []string{"bakta"}, job.Internal, "result.gff3"},
		{
			"a result is a link to its own file",
			[]Command{shell("echo 1 > ../out/bakta/x; ln -s x ../out/bakta/result.gff3")},
			[]job.StageStatus{done},
			nil,
			[]string{"bakta"},
			job.Internal,
			"result.gff3",
		},
		{
			"the results' directory is a link",
			[]Command{shell("rmdir ../out/bakta; ln -s " + filepath.Dir(secret) + " ../out/bakta")},
			[]job.StageStatus{done},
			nil,
			[]string{"bakta"},
			job.Internal,
			"result.gff3",
		},
		{"a result is a FIFO", []Command{shell("mkfifo ../out/bakta/result.gff3")}, []job.StageStatus{done},
			nil, []string{"bakta"}, job.Internal, "result.gff3"},
		{"a result is a directory", []Command{shell("mkdir ../out/bakta/result.gff3")}, []job.StageStatus{done},
			nil, []string{"bakta"}, job.Internal, "result.gff3"},
		{
			"a result is too large for any store",
			[]Command{shell("truncate -s 6G ../out/bakta/result.gff3")},
			[]job.StageStatus{done},
			nil,
			[]string{"bakta"},
			job.OutOfDisk,
			"The results are too large: 6GiB together, of which at most 5GiB may be stored as one file. The largest are result.gff3 (6GiB).",
		},
		{
			"the results are too large together",
			[]Command{
				shell("truncate -s 4G ../out/bakta/result.gff3; truncate -s 3G ../out/bakta/result.svg"),
				second("truncate -s 4G ../out/second/result.gff3"),
			},
			[]job.StageStatus{done, done},
			nil,
			[]string{"bakta", "second"},
			job.OutOfDisk,
			"11GiB together, of which at most 10GiB may be stored. The largest are result.gff3 (4GiB), result.gff3 (4GiB), result.svg (3GiB).",
		},
		{
			"a log that its program made large",
			[]Command{shell("echo 1 > ../out/bakta/result.gff3; truncate -s 6G ../state/bakta/output.log")},
			[]job.StageStatus{done},
			[]string{"bakta.gff3"},
			[]string{"bakta"},
			"",
			"",
		},
		{
			"a result that may be missing is a FIFO",
			[]Command{shell("echo 1 > ../out/bakta/result.gff3; mkfifo ../out/bakta/result.svg")},
			[]job.StageStatus{done},
			[]string{"bakta.gff3"},
			[]string{"bakta"},
			"",
			"",
		},
		{
			"the log is a link to a file of another user",
			[]Command{shell("echo 1 > ../out/bakta/result.gff3; ln -sf " + secret + " ../state/bakta/output.log")},
			[]job.StageStatus{done},
			[]string{"bakta.gff3"},
			nil,
			"",
			"",
		},
		{"the first stage fails", []Command{shell(first + "; echo ERROR: no >&2; exit 1"), second(then)}, []job.StageStatus{failed, pending},
			nil, []string{"bakta"}, job.BadInput, "no"},
		{"the second stage fails", []Command{shell(first), second(then + "; echo ERROR: no >&2; exit 1")}, []job.StageStatus{done, failed},
			[]string{"bakta.gff3", "bakta.svg"}, []string{"bakta", "second"}, job.BadInput, "no"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := &faulty{Store: files.Store}
			s := newSpec(t, tt.stages...)
			if failure, err := In(t.Context(), f, s); failure != nil || err != nil {
				t.Fatal(failure, err)
			}
			perform(t, s)
			returned, err := Out(t.Context(), f, s)
			if err != nil {
				t.Fatal(err)
			}
			m, _ := f.manifest(t, s)
			if fmt.Sprint(m.Files, m.Logs) != fmt.Sprint(returned.Files, returned.Logs) || m.Outcome != returned.Outcome {
				t.Errorf("stored %+v, returned %+v", m, returned)
			}
			var status []job.StageStatus
			for _, r := range m.Stages {
				status = append(status, r.Status)
			}
			if !slices.Equal(status, tt.status) || !slices.Equal(names(m.Files), tt.files) || !slices.Equal(names(m.Logs), tt.logs) {
				t.Errorf("stages %v, files %v, logs %v", status, names(m.Files), names(m.Logs))
			}
			switch {
			case tt.code == "" && m.Outcome != Succeeded:
				t.Errorf("outcome %s, %+v", m.Outcome, m.Failure)
			case tt.code != "" && (m.Outcome != Failed || m.Failure.Code != tt.code || !strings.Contains(m.Failure.Message, tt.message)):
				t.Errorf("outcome %s, %+v", m.Outcome, m.Failure)
			}
			if slices.Contains(tt.logs, "bakta") && !strings.HasPrefix(f.content(t, m.Logs, "bakta"), "Bakta Command: /bin/sh -c ") {
				t.Errorf("log: %q", f.content(t, m.Logs, "bakta"))
			}
			if slices.Contains(tt.files, "bakta.gff3") && f.content(t, m.Files, "bakta.gff3") != "1\n" {
				t.Errorf("result: %q", f.content(t, m.Files, "bakta.gff3"))
			}
			// Nothing of the secret file is anywhere.
			stored, err := f.Store.List(t.Context(), job.Prefix(s.Job))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range stored {
				if b, err := f.Store.Get(
					t.Context(),
					file.Key,
					1<<20,
				); err != nil ||
					bytes.Contains(b, []byte("secret")) && !bytes.Contains(b, []byte(secret)) {
					t.Errorf("%s: %q, %v", file.Key, b, err)
				}
			}
		})
	}
}

func names(files []job.File) []string {
	var all []string
	for _, f := range files {
		all = append(all, f.Name)
	}
	return all
}

func TestOutOfAStageThatWasCutOff(t *testing.T) {
	t.Parallel()
	f := bucket(t)
	s := newSpec(t, shell("true"), second("true"))
	if _, err := In(t.Context(), f, s); err != nil {
		t.Fatal(err)
	}
	if err := record(t, s.Dir, Record{Result: Result{Name: "bakta", Status: job.StageRunning, Started: now()}}); err != nil {
		t.Fatal(err)
	}
	m, err := Out(t.Context(), f, s)
	if err != nil || m.Outcome != Failed || m.Failure.Code != job.Internal || m.Failure.Stage != "bakta" ||
		!strings.Contains(m.Failure.Message, "did not run to its end") {
		t.Errorf("Out: %+v, %v", m, err)
	}
	if m, _ := f.manifest(t, s); len(m.Stages) != 2 || m.Stages[0].Status != job.StageFailed || m.Stages[1].Status != job.StagePending {
		t.Errorf("stages: %+v", m.Stages)
	}
}

func TestOutAgainTakesNothingBack(t *testing.T) {
	t.Parallel()
	f := bucket(t)
	s := newSpec(t, shell("echo 1 > ../out/bakta/result.gff3"))
	if _, err := In(t.Context(), f, s); err != nil {
		t.Fatal(err)
	}
	perform(t, s)
	before, err := Out(t.Context(), f, s)
	if err != nil {
		t.Fatal(err)
	}
	// Another execution of the same run, which comes to another result.
	if err := os.WriteFile(filepath.Join(Dir(s.Dir).Output("bakta"), "result.gff3"), []byte("2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	after, err := Out(t.Context(), f, s)
	if err != nil {
		t.Fatal(err)
	}
	if got := f.content(t, before.Files, "bakta.gff3"); got != "1\n" {
		t.Errorf("the first manifest's file: %q", got)
	}
	if m, _ := f.manifest(t, s); m.Files[0].Key != after.Files[0].Key || f.content(t, m.Files, "bakta.gff3") != "2\n" {
		t.Errorf("manifest: %+v", m)
	}
}

func TestOutWithoutAnOutcome(t *testing.T) {
	t.Parallel()
	files := bucket(t)
	tests := []struct {
		name  string
		fault func(step, key string) error
	}{
		{"a result can't be stored", func(step, key string) error { return when(step == "put" && strings.HasSuffix(key, "gff3")) }},
		{"a log can't be stored", func(step, key string) error { return when(step == "put" && strings.HasSuffix(key, ".log")) }},
		{"the manifest can't be stored", func(step, key string) error { return when(step == "put" && strings.HasSuffix(key, "manifest.json")) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := &faulty{Store: files.Store}
			s := newSpec(t, shell("echo 1 > ../out/bakta/result.gff3"))
			if _, err := In(t.Context(), f, s); err != nil {
				t.Fatal(err)
			}
			perform(t, s)
			f.fault = tt.fault
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if m, err := Out(ctx, f, s); err == nil {
				t.Errorf("Out: %+v and no error", m)
			}
			if m, found := f.manifest(t, s); found {
				t.Errorf("stored: %+v", m)
			}
			// Away, and back again a little later.
			times := 3
			f.fault = func(step, key string) error {
				times--
				return when(times >= 0)
			}
			if _, err := Out(t.Context(), f, s); err != nil {
				t.Errorf("Out: %v", err)
			}
			if _, found := f.manifest(t, s); !found {
				t.Error("no manifest")
			}
		})
	}
}

func when(away bool) error {
	if away {
		return errAway
	}
	return nil
}

func reason(f *job.Failure) error {
	if f == nil {
		return nil
	}
	return errors.New(f.Message)
}
