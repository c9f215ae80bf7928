package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/ag-computational-bio/bakta-web-backend/internal/realbakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/lifecycle"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// runTimeout is the timeout of a program. A variant takes some seconds.
const runTimeout = 180 * time.Second

// real runs the real programs.
type real struct {
	set        realbakta.Set
	baktfold   string // the program, and its database
	baktfoldDB string
	identity   string  // of the programs and their databases
	cache      string  // directory of outcomes of earlier runs
	server     *server // nil: no program is run
}

// errNotKept is the error of run if no program may be run and no outcome is kept.
var errNotKept = errors.New("the outcome is not kept")

// run runs the job's programs, with the inputs that stage-in of a job writes, or with the inputs as given.
func (r *real) run(ctx context.Context, d *desk, v variant, asGiven bool) (outcome, error) {
	dir, err := os.MkdirTemp("", "judge")
	if err != nil {
		return outcome{}, err
	}
	defer os.RemoveAll(dir)
	dir = filepath.Join(dir, "run")
	spec, err := lifecycle.Spec(d.job, dir, r.environment)
	if err != nil {
		return outcome{}, err
	}
	failure, err := bring(ctx, d, spec, v, asGiven)
	if err != nil {
		return outcome{}, err
	}
	if failure != nil { // the start was accepted, but the run refuses the inputs
		return outcome{Exit: 1, Errors: "Error: the run's own check of the inputs: " + failure.Message}, nil
	}
	for i, s := range spec.Stages {
		if s.Argv[0] != r.set.Bakta {
			continue
		}
		last := len(s.Argv) - 1
		for _, step := range v.effort.skipped() {
			spec.Stages[i].Argv = slices.Insert(spec.Stages[i].Argv, last, "--skip-"+strings.ReplaceAll(step, "_", "-"))
		}
	}
	key, err := r.key(spec)
	if err != nil {
		return outcome{}, err
	}
	kept := filepath.Join(r.cache, key+".json")
	if b, err := os.ReadFile(kept); err == nil {
		var o outcome
		return o, json.Unmarshal(b, &o)
	}
	if r.server == nil {
		return outcome{}, errNotKept
	}
	o, err := r.stages(ctx, spec)
	if err != nil {
		return outcome{}, err
	}
	b, err := json.Marshal(o)
	if err != nil {
		return outcome{}, err
	}
	return o, renameio.WriteFile(kept, b, 0o666, renameio.WithTempDir(filepath.Dir(kept)))
}

// environment returns the command and the database of a program.
func (r *real) environment(name string) (program.Environment, error) {
	switch name {
	case "bakta":
		return program.Environment{Command: []string{r.set.Bakta}, Database: r.set.Database, Threads: 1}, nil
	case "bakta_proteins":
		return program.Environment{Command: []string{r.set.Proteins}, Database: r.set.Database, Threads: 1}, nil
	case "baktfold":
		return program.Environment{Command: []string{r.baktfold}, Database: r.baktfoldDB, Threads: 1}, nil
	}
	return program.Environment{}, fmt.Errorf("unknown program %s", name)
}

// bring creates the run's directory and writes the inputs there: as stage-in does, or as given.
func bring(ctx context.Context, d *desk, spec stage.Spec, v variant, asGiven bool) (*job.Failure, error) {
	layout := stage.Dir(spec.Dir)
	dirs := []string{filepath.Dir(layout.Input("x")), layout.Temp()}
	for _, s := range spec.Stages {
		dirs = append(dirs, layout.Output(s.Stage))
	}
	if !asGiven {
		if failure, err := stage.In(ctx, d, spec); failure != nil || err != nil {
			return failure, err
		}
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return nil, err
		}
	}
	if asGiven {
		for _, u := range v.uploads {
			if err := os.WriteFile(layout.Input(u.name), u.content, 0o666); err != nil {
				return nil, err
			}
		}
	}
	return nil, nil
}

// key returns the hash of the programs, their command lines and the content of all inputs.
func (r *real) key(spec stage.Spec) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, r.identity)
	for _, s := range spec.Stages {
		for _, a := range s.Argv {
			fmt.Fprintf(h, "%q ", strings.NewReplacer(spec.Dir, "DIR", r.set.Prefix, "PREFIX").Replace(a))
		}
	}
	for _, in := range spec.Inputs {
		content, err := os.ReadFile(stage.Dir(spec.Dir).Input(in.Name))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%q %x", in.Name, sha256.Sum256(content))
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// stages runs the stages up to the first that fails, and collects their outputs.
func (r *real) stages(ctx context.Context, spec stage.Spec) (outcome, error) {
	o := outcome{Results: make(map[string]string)}
	for _, s := range spec.Stages {
		stdout, stderr := filepath.Join(spec.Dir, s.Stage+".out"), filepath.Join(spec.Dir, s.Stage+".err")
		var err error
		if s.Argv[0] == r.baktfold {
			o.Exit, err = execute(ctx, s, stdout, stderr)
		} else {
			o.Exit, err = r.server.run(s.Argv, stdout, stderr)
		}
		if err != nil {
			return outcome{}, fmt.Errorf("running %q: %w", s.Argv, err)
		}
		o.Output += beginning(stdout)
		o.Errors += beginning(stderr)
		if o.Exit != 0 {
			break
		}
	}
	for _, e := range spec.Results {
		path := ""
		for _, p := range append([]string{e.Path}, e.Else...) {
			if info, err := os.Stat(filepath.Join(spec.Dir, p)); err == nil && info.Mode().IsRegular() {
				path = filepath.Join(spec.Dir, p)
				break
			}
		}
		switch {
		case path == "" && e.Required:
			o.Missing = append(o.Missing, e.Ending)
		case path != "" && e.Ending != "png" && e.Ending != "svg":
			o.Results[e.Ending] = beginning(path)
		}
	}
	return o, nil
}

// execute runs one program.
func execute(ctx context.Context, s stage.Command, stdout, stderr string) (exit int, err error) {
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	c := exec.CommandContext(ctx, s.Argv[0], s.Argv[1:]...)
	c.Env = append(os.Environ(), s.Env...)
	out, err1 := os.Create(stdout)
	errs, err2 := os.Create(stderr)
	if err := errors.Join(err1, err2); err != nil {
		return 0, err
	}
	defer out.Close()
	defer errs.Close()
	c.Stdout, c.Stderr = out, errs
	var ended *exec.ExitError
	if err := c.Run(); err != nil && !errors.As(err, &ended) {
		return 0, err
	}
	if ctx.Err() != nil {
		return -9, nil
	}
	return c.ProcessState.ExitCode(), nil
}

// server is a process that runs Bakta's programs, one at a time.
type server struct {
	process *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	bin     string // directory of the programs' scripts
	stderr  bytes.Buffer
}

//go:embed serve.py
var serveScript string

// newServer starts the process. It ends with the context, or when it is closed.
func newServer(ctx context.Context, set realbakta.Set) (*server, error) {
	s := &server{bin: filepath.Join(set.Prefix, "venv", "bin")}
	s.process = exec.CommandContext(ctx, set.Python, "-c", serveScript)
	s.process.Env = append(os.Environ(), "PATH="+filepath.Join(set.Prefix, "bin")+":"+os.Getenv("PATH"),
		"MPLCONFIGDIR="+filepath.Join(set.Prefix, "matplotlib"), "PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1")
	s.process.Stderr = &s.stderr
	in, err1 := s.process.StdinPipe()
	out, err2 := s.process.StdoutPipe()
	if err := errors.Join(err1, err2, s.process.Start()); err != nil {
		return nil, err
	}
	s.in, s.out = in, bufio.NewReader(out)
	return s, nil
}

// run runs a program and returns its exit code.
func (s *server) run(argv []string, stdout, stderr string) (int, error) {
	request, err := json.Marshal(map[string]any{
		"script": filepath.Join(s.bin, filepath.Base(argv[0])), "arguments": argv[1:],
		"stdout": stdout, "stderr": stderr, "limit": int(runTimeout / time.Second),
	})
	if err != nil {
		return 0, err
	}
	if _, err := s.in.Write(append(request, '\n')); err != nil {
		return 0, err
	}
	answer, err := s.out.ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("the server of Bakta's programs ended: %w\n%s", err, s.stderr.Bytes())
	}
	return strconv.Atoi(strings.TrimSpace(answer))
}

func (s *server) close() error {
	return errors.Join(s.in.Close(), s.process.Wait())
}

// identity identifies the programs and databases of an installation by the stamps of its steps.
func identity(set realbakta.Set) (string, error) {
	paths, err := filepath.Glob(filepath.Join(set.Prefix, "stamps", "*"))
	if err != nil {
		return "", err
	}
	stamps := make(map[string]string)
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		stamps[filepath.Base(path)] = string(b)
	}
	var all strings.Builder
	all.WriteString(serveScript)
	for _, name := range slices.Sorted(maps.Keys(stamps)) {
		all.WriteString(name + " " + stamps[name])
	}
	return all.String(), nil
}
