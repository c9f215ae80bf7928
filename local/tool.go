package local

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/functions/status"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/lifecycle"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// tools are the programs that stages run, by the names that the workflows use.
type tools map[string]tool

// tool is an installed program.
type tool struct {
	environment program.Environment
	variables   []string // NAME=value, from the environment of this process, of which programs get few variables
	version     *version
	database    string // version of its reference database
}

// version is the version that a program prints. The real programs need time for it, most of all in the first call after
// the machine has started. So the backend serves while it waits for the version, which is empty meanwhile.
type version struct {
	named     string   // the flag that names the program
	arguments []string // of the call that prints the version
	known     atomic.Pointer[string]
	within    time.Duration // timeout of that call
}

func (v *version) String() string {
	if text := v.known.Load(); text != nil {
		return *text
	}
	return ""
}

// versionTimeout is how long a program may take to print its version.
const versionTimeout = 2 * time.Minute

// findTools finds the programs that the options name; it does not start them. An error says what to do about a program that
// is required or named and missing. Other programs may be missing; the workflows that need them are not offered then.
func findTools(o Options) (tools, error) {
	found := tools{}
	rows := workflow.Programs()
	onlyStandIn := o.Programs[rows[0].Name].Path == StandIn
	for i, row := range rows {
		at := o.Programs[row.Name]
		if at.Path == StandIn || at.Path == "" && onlyStandIn {
			t, err := o.standIn(row.Name)
			if err != nil {
				return nil, err
			}
			found[row.Name] = t
			continue
		}
		t, err := o.find(row, at, found[row.Part])
		var gone missing
		if errors.As(err, &gone) && i > 0 && at.Path == "" && at.Database == "" {
			continue
		}
		if errors.As(err, &gone) && i == 0 {
			err = fmt.Errorf("%w,\nor try the server with `--%s %s`, which produces no real annotation", err, row.Name, StandIn)
		}
		if err != nil {
			return nil, err
		}
		found[row.Name] = t
	}
	return found, nil
}

// missing is the error for a program that is not installed, or whose reference database is not.
type missing struct{ error }

// find finds a program, and its database: its own, or that of the program that it is a part of.
func (o Options) find(row program.Program, at Installed, whole tool) (tool, error) {
	flag := "--" + strings.ReplaceAll(row.Name, "_", "-")
	name := cmp.Or(at.Path, row.Name)
	path, err := "", errors.New("no path")
	if at.Path == "" && row.Part != "" && len(whole.environment.Command) > 0 {
		path, err = lookPath(filepath.Join(filepath.Dir(whole.environment.Command[0]), name))
	}
	if err != nil {
		path, err = lookPath(name)
	}
	if err != nil {
		return tool{}, missing{fmt.Errorf("%s: the program %q was not found (%w).\nInstall it (`%s`), or set %s to its path",
			flag, name, err, row.Install, flag)}
	}
	t := tool{
		environment: program.Environment{Command: []string{path}, GPU: at.GPU},
		version:     &version{named: flag, within: versionTimeout, arguments: row.Version},
	}
	if row.Database == nil {
		if whole.environment.Database == "" {
			return tool{}, fmt.Errorf("%s: the program needs the database of %s, which the stand-in does not have; also set --%s to the path of %s",
				flag, row.Part, row.Part, row.Part)
		}
		t.environment.Database, t.database = whole.environment.Database, whole.database
		return t, nil
	}
	dir := cmp.Or(at.Database, os.Getenv(row.Database.Variable))
	if dir == "" {
		return tool{}, missing{fmt.Errorf("%s-db: %s needs its database; download it with `%s`, then set %s-db to its directory",
			flag, row.Title, row.Database.Download, flag)}
	}
	if t.environment.Database, err = filepath.Abs(dir); err != nil {
		return tool{}, err
	}
	file := filepath.Join(t.environment.Database, row.Database.File)
	if _, err = os.Stat(file); err == nil && row.Database.Version != nil {
		var content []byte
		if content, err = os.ReadFile(file); err == nil {
			t.database, err = row.Database.Version(content)
		}
	}
	if err != nil {
		err = fmt.Errorf("%s-db: %s is not a database of %s: %w", flag, dir, row.Title, err)
		// The download makes a folder of its own in the one that it is given.
		if below, _ := filepath.Glob(filepath.Join(dir, "*", row.Database.File)); len(below) > 0 {
			err = fmt.Errorf("%w; give %s", err, filepath.Dir(below[0]))
		}
		return tool{}, err
	}
	return t, nil
}

// standIn returns the stand-in for a program.
func (o Options) standIn(name string) (tool, error) {
	if len(o.StandIn) == 0 {
		return tool{}, errors.New("this program has no stand-in")
	}
	t := tool{version: new(version), database: "none"}
	text := StandIn
	t.version.known.Store(&text)
	t.environment = program.Environment{Command: slices.Concat(o.StandIn, []string{name})}
	for _, variable := range os.Environ() {
		if strings.HasPrefix(variable, "BAKTA_STAND_IN_") { // its speed, and its failures
			t.variables = append(t.variables, variable)
		}
	}
	return t, nil
}

// lookPath finds a program and returns its absolute path: the working directory changes later.
func lookPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// ask calls the programs for their versions, one after the other. It returns an error for a program that fails, because
// every job that needs the program would fail. It only logs a warning for a program that exceeds the timeout.
func (t tools) ask(ctx context.Context, log *slog.Logger) error {
	for _, name := range slices.Sorted(maps.Keys(t)) {
		v := t[name].version
		if v.known.Load() != nil {
			continue
		}
		log.Info("reading the version of a program, which takes up to a minute the first time; jobs are accepted meanwhile",
			"program", t[name].environment.Command[0])
		short, cancel := context.WithTimeout(ctx, v.within)
		text, err := askVersion(short, t[name].environment.Command[0], v.arguments)
		late := short.Err() != nil
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil
		case late:
			log.Warn("a program has not printed its version in time", "program", t[name].environment.Command[0], "timeout", v.within)
		case err != nil:
			return fmt.Errorf("%s: %w", v.named, err)
		default:
			v.known.Store(&text)
		}
	}
	return nil
}

// askVersion calls a program for its version.
func askVersion(ctx context.Context, path string, arguments []string) (string, error) {
	command := exec.CommandContext(ctx, path, arguments...)
	command.WaitDelay = time.Second // for processes that it has started
	out, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("`%s %s` failed: %w\n%s", path, strings.Join(arguments, " "), err, bytes.TrimSpace(out))
	}
	line, _ := bufio.NewReader(bytes.NewReader(out)).ReadString('\n')
	fields := strings.Fields(line) // "bakta 1.12.2", "baktfold, version 0.3.0"
	if len(fields) == 0 {
		return "", fmt.Errorf("`%s %s` prints nothing", path, strings.Join(arguments, " "))
	}
	return fields[len(fields)-1], nil
}

// offered returns the workflows whose programs are all installed.
func (t tools) offered() []workflow.Workflow {
	return workflow.Offered(func(name string) bool { _, ok := t[name]; return ok })
}

// versions returns a function that returns the versions that are known at the time of its call.
func (t tools) versions(backend string) func() status.Versions {
	return func() status.Versions {
		v := status.Versions{Backend: backend, Programs: make(map[string]string), Databases: make(map[string]string)}
		for name, found := range t {
			v.Programs[name], v.Databases[name] = found.version.String(), found.database
		}
		return v
	}
}

// spec returns the specification of a job's run in a directory, with that many threads.
func (t tools) spec(j job.Job, dir string, threads int) (stage.Spec, error) {
	var variables [][]string // by stage: lifecycle.Spec requests the program of each stage once
	spec, err := lifecycle.Spec(j, dir, func(name string) (program.Environment, error) {
		found, ok := t[name]
		if !ok {
			return program.Environment{}, fmt.Errorf("the program %s is no longer installed", name)
		}
		variables = append(variables, found.variables)
		environment := found.environment
		environment.Threads = threads
		return environment, nil
	})
	for i := range spec.Stages {
		spec.Stages[i].Env = append(spec.Stages[i].Env, variables[i]...)
	}
	return spec, err
}
