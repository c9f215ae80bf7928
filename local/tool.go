package local

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/lifecycle"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// tool is the program that annotates.
type tool struct {
	command  []string
	threads  int
	db       string // directory of the database; empty for the stand-in
	version  string
	database string // version of the database
}

// findTool finds the program that the options name and asks it who it is. What is missing is told with what to
// do about it, before anything is started.
func findTool(ctx context.Context, o Options) (tool, error) {
	if o.Bakta == StandIn {
		if len(o.StandIn) == 0 {
			return tool{}, fmt.Errorf("this program has no stand-in")
		}
		return tool{command: o.StandIn, threads: o.Threads, version: "stand-in", database: "none"}, nil
	}
	path, err := exec.LookPath(o.Bakta)
	if err != nil {
		return tool{}, fmt.Errorf("--bakta: the program %q is not there (%w).\n"+
			"Install Bakta (with conda: `conda install -c conda-forge -c bioconda bakta`) and its database (`bakta_db download`), or\n"+
			"name the program by --bakta, or try everything out with `--bakta %s`, which annotates nothing in earnest", o.Bakta, err, StandIn)
	}
	if path, err = filepath.Abs(path); err != nil {
		return tool{}, err
	}
	t := tool{command: []string{path}, threads: o.Threads, db: o.DB}
	if t.db == "" {
		t.db = os.Getenv("BAKTA_DB")
	}
	if t.db == "" {
		return tool{}, fmt.Errorf("--bakta-db: Bakta needs its database; fetch it by `bakta_db download`, then name its directory")
	}
	if t.db, err = filepath.Abs(t.db); err != nil {
		return tool{}, err
	}
	if t.database, err = databaseVersion(t.db); err != nil {
		return tool{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").CombinedOutput()
	if err != nil {
		return tool{}, fmt.Errorf("--bakta: `%s --version` does not work: %w\n%s", path, err, bytes.TrimSpace(out))
	}
	line, _ := bufio.NewReader(bytes.NewReader(out)).ReadString('\n')
	t.version = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "bakta"))
	return t, nil
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

// spec says what a run of the job does in that directory.
func (t tool) spec(j job.Job, dir string) (stage.Spec, error) {
	return lifecycle.Spec(j, dir, func(program string) (workflow.Environment, error) {
		return workflow.Environment{Command: t.command, Database: t.db, Threads: t.threads}, nil
	})
}
