package local

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
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

// tools are the programs that stages run, by the workflows' names of them.
type tools map[string]tool

// tool is one of them.
type tool struct {
	environment program.Environment
	variables   []string // NAME=value, of this process' environment, which programs get little of
	version     *version
	database    string // version of its database
}

// version is what a program says of itself. The real programs take their time, most of all in the first call after a
// start of the machine; so they are asked while the backend serves already, and what it tells meanwhile is empty.
type version struct {
	named  string // the option that names the program
	known  atomic.Pointer[string]
	within time.Duration // how long the program has to answer
}

func (v *version) String() string {
	if text := v.known.Load(); text != nil {
		return *text
	}
	return ""
}

// patience is how long a program may take to tell its version.
const patience = 2 * time.Minute

// findTools finds the programs that the options name; it does not ask them who they are. Bakta is a must; what is
// missing is told with what to do about it, before anything is started. The others may be missing unless the
// options name them; the workflows that need them are not offered then.
func findTools(o Options) (tools, error) {
	found := tools{}
	bakta, err := findBakta(o)
	if err != nil {
		return nil, err
	}
	found[program.ProgramBakta] = bakta
	for name, find := range map[string]func(Options, tool) (tool, error){
		program.ProgramBaktaProteins: findProteins, program.ProgramBaktfold: findBaktfold,
	} {
		t, err := find(o, bakta)
		if err != nil {
			return nil, err
		}
		if len(t.environment.Command) > 0 {
			found[name] = t
		}
	}
	return found, nil
}

func findBakta(o Options) (tool, error) {
	if o.Bakta == StandIn {
		return o.standIn(program.ProgramBakta)
	}
	path, err := lookPath(o.Bakta)
	if err != nil {
		return tool{}, fmt.Errorf("--bakta: the program %q is not there (%w).\n"+
			"Install Bakta (with conda: `conda install -c conda-forge -c bioconda bakta`) and its database (`bakta_db download`), or\n"+
			"name the program by --bakta, or try everything out with `--bakta %s`, which annotates nothing in earnest", o.Bakta, err, StandIn)
	}
	db := cmp.Or(o.DB, os.Getenv("BAKTA_DB"))
	if db == "" {
		return tool{}, fmt.Errorf("--bakta-db: Bakta needs its database; fetch it by `bakta_db download`, then name its directory")
	}
	t := tool{environment: program.Environment{Command: []string{path}, Threads: o.Threads}}
	if t.environment.Database, err = filepath.Abs(db); err != nil {
		return tool{}, err
	}
	if t.database, err = databaseVersion(t.environment.Database); err != nil {
		return tool{}, err
	}
	t.version = &version{named: "--bakta", within: patience}
	return t, nil
}

// findProteins finds bakta_proteins, which comes with Bakta: where the options name it, else beside Bakta, else on
// PATH.
func findProteins(o Options, bakta tool) (tool, error) {
	name := o.Proteins
	if name == StandIn || name == "" && o.Bakta == StandIn {
		return o.standIn(program.ProgramBaktaProteins)
	}
	var path string
	var err error
	if name == "" {
		name = program.ProgramBaktaProteins
		path, err = lookPath(filepath.Join(filepath.Dir(bakta.environment.Command[0]), name))
	}
	if path == "" {
		path, err = lookPath(name)
	}
	if err != nil {
		if o.Proteins == "" {
			return tool{}, nil
		}
		return tool{}, fmt.Errorf("--bakta-proteins: the program %q is not there: %w", name, err)
	}
	if o.Bakta == StandIn {
		return tool{}, errors.New("--bakta-proteins: the program needs Bakta's database, which the stand-in does without; name the program bakta by --bakta, too")
	}
	t := bakta
	t.environment.Command = []string{path}
	t.version = &version{named: "--bakta-proteins", within: patience}
	return t, nil
}

// findBaktfold finds Baktfold and its database.
func findBaktfold(o Options, _ tool) (tool, error) {
	name := o.Baktfold
	if name == StandIn || name == "" && o.Bakta == StandIn {
		return o.standIn(program.ProgramBaktfold)
	}
	db := cmp.Or(o.BaktfoldDB, os.Getenv("PHOLD_DBDIR")) // Baktfold's own name for it
	name = cmp.Or(name, program.ProgramBaktfold)
	path, err := lookPath(name)
	switch {
	case o.Baktfold == "" && o.BaktfoldDB == "" && (err != nil || db == ""):
		return tool{}, nil
	case err != nil:
		return tool{}, fmt.Errorf("--baktfold: the program %q is not there (%w).\n"+
			"Install Baktfold (with conda: `conda install -c conda-forge -c bioconda baktfold`) and its database (`baktfold install`), or name the program", name, err)
	case db == "":
		return tool{}, errors.New("--baktfold-db: Baktfold needs its database; fetch it by `baktfold install`, then name its directory")
	}
	t := tool{environment: program.Environment{Command: []string{path}, Threads: o.Threads, GPU: o.BaktfoldGPU}}
	if t.environment.Database, err = filepath.Abs(db); err != nil {
		return tool{}, err
	}
	if _, err := os.Stat(filepath.Join(t.environment.Database, "baktfold.db")); err != nil {
		return tool{}, fmt.Errorf("--baktfold-db: %s holds no Baktfold database: %w", db, err)
	}
	t.version = &version{named: "--baktfold", within: patience}
	return t, nil
}

// standIn is the stand-in in the role of a program.
func (o Options) standIn(name string) (tool, error) {
	if len(o.StandIn) == 0 {
		return tool{}, errors.New("this program has no stand-in")
	}
	t := tool{version: new(version), database: "none"}
	played := StandIn
	t.version.known.Store(&played)
	t.environment = program.Environment{Command: slices.Concat(o.StandIn, []string{name}), Threads: o.Threads}
	for _, variable := range os.Environ() {
		if strings.HasPrefix(variable, "BAKTA_STAND_IN_") { // how fast it is, and whether it fails
			t.variables = append(t.variables, variable)
		}
	}
	return t, nil
}

// lookPath finds a program, and returns its path whatever the working directory becomes.
func lookPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// ask asks the programs for their versions, one after the other. It returns an error for one that does not work: no
// job that needs it would. One that does not answer in time may do so another day, and is only warned of.
func (t tools) ask(ctx context.Context, log *slog.Logger) error {
	for _, name := range slices.Sorted(maps.Keys(t)) {
		v := t[name].version
		if v.known.Load() != nil {
			continue
		}
		log.Info("asking a program for its version, which takes up to a minute the first time; jobs are taken meanwhile",
			"program", t[name].environment.Command[0])
		short, cancel := context.WithTimeout(ctx, v.within)
		text, err := askVersion(short, t[name].environment.Command[0])
		late := short.Err() != nil
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil
		case late:
			log.Warn("a program does not tell its version", "program", t[name].environment.Command[0], "waited", v.within)
		case err != nil:
			return fmt.Errorf("%s: %w", v.named, err)
		default:
			v.known.Store(&text)
		}
	}
	return nil
}

// askVersion asks a program for its version.
func askVersion(ctx context.Context, path string) (string, error) {
	command := exec.CommandContext(ctx, path, "--version")
	command.WaitDelay = time.Second // for what it may have started
	out, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("`%s --version` does not work: %w\n%s", path, err, bytes.TrimSpace(out))
	}
	line, _ := bufio.NewReader(bytes.NewReader(out)).ReadString('\n')
	fields := strings.Fields(line) // "bakta 1.12.2", "baktfold, version 0.3.0"
	if len(fields) == 0 {
		return "", fmt.Errorf("`%s --version` says nothing", path)
	}
	return fields[len(fields)-1], nil
}

// databaseVersion reads the version of a Bakta database, and tells a directory that is none.
func databaseVersion(dir string) (string, error) {
	content, err := os.ReadFile(filepath.Join(dir, "version.json"))
	if err != nil {
		return "", fmt.Errorf("--bakta-db: %s holds no Bakta database: %w", dir, err)
	}
	var v struct {
		Major int    `json:"major"`
		Minor int    `json:"minor"`
		Type  string `json:"type"`
	}
	if err := json.Unmarshal(content, &v); err != nil {
		return "", fmt.Errorf("--bakta-db: %s holds no Bakta database: version.json: %w", dir, err)
	}
	version := fmt.Sprintf("%d.%d", v.Major, v.Minor)
	if v.Type != "" {
		version += ", " + v.Type
	}
	return version, nil
}

// offered are the workflows all of whose programs are there.
func (t tools) offered() []workflow.Workflow {
	return workflow.Offered(func(name string) bool { _, ok := t[name]; return ok })
}

// versions returns those that the API tells, as far as they are known by then.
func (t tools) versions(backend string) func() status.Versions {
	return func() status.Versions {
		bakta, baktfold := t[program.ProgramBakta], t[program.ProgramBaktfold]
		v := status.Versions{Backend: backend, Tool: bakta.version.String(), Database: bakta.database, BaktfoldDatabase: baktfold.database}
		if baktfold.version != nil { // it is offered
			v.Baktfold = baktfold.version.String()
		}
		return v
	}
}

// spec says what a run of the job does in that directory.
func (t tools) spec(j job.Job, dir string) (stage.Spec, error) {
	var variables [][]string // by stage, for each of which its program is asked for
	spec, err := lifecycle.Spec(j, dir, func(name string) (program.Environment, error) {
		found, ok := t[name]
		if !ok {
			return program.Environment{}, fmt.Errorf("%s is not there any more", name)
		}
		variables = append(variables, found.variables)
		return found.environment, nil
	})
	for i := range spec.Stages {
		spec.Stages[i].Env = append(spec.Stages[i].Env, variables[i]...)
	}
	return spec, err
}
