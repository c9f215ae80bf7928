package local

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ag-computational-bio/bakta-web-backend/lib/program"
)

// place creates a directory of programs that print their version, and of databases.
func place(t *testing.T, programs ...string) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{"db/version.json": `{"major":6,"minor":0,"type":"light"}`, "fold/baktfold.db": "", "none/x": ""}
	for _, name := range programs {
		version := name + " 1.12.2"
		if name == "baktfold" {
			version = "baktfold, version 0.3.0"
		}
		files["bin/"+name] = fmt.Sprintf("#!/bin/sh\necho '%s'\n", version)
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// installed are programs by name.
type installed = map[string]Installed

func TestFindTools(t *testing.T) {
	dir := place(t, "bakta", "bakta_proteins", "baktfold")
	alone := place(t, "bakta")
	at := func(name string) string { return filepath.Join(dir, name) }
	whole := Installed{Path: at("bin/bakta"), Database: at("db")} // with its other program beside it
	lone := Installed{Path: filepath.Join(alone, "bin/bakta"), Database: at("db")}
	onPath := Installed{Path: "bakta", Database: at("db")}
	baktfold := Installed{Path: at("bin/baktfold"), Database: at("fold")}
	bakta, both := []string{"bakta"}, []string{"bakta", "bakta_proteins"}
	all := []string{"bakta", "bakta_proteins", "bakta_baktfold", "baktfold"}
	for _, row := range []struct {
		name     string
		programs installed
		path     string // directory on PATH
		variable string // PHOLD_DBDIR
		offers   []string
		fails    string
	}{
		{name: "stand-in", programs: installed{"bakta": {Path: StandIn}}, offers: all},
		{name: "Bakta alone", programs: installed{"bakta": lone}, offers: bakta},
		{name: "proteins beside Bakta", programs: installed{"bakta": whole}, offers: both},
		{name: "proteins on PATH", programs: installed{"bakta": lone}, path: at("bin"), offers: both},
		{name: "proteins by name", programs: installed{"bakta": lone, "bakta_proteins": {Path: at("bin/bakta_proteins")}}, offers: both},
		{name: "Baktfold by name", programs: installed{"bakta": whole, "baktfold": baktfold}, offers: all},
		{name: "Baktfold on PATH", programs: installed{"bakta": onPath, "baktfold": {Database: at("fold")}}, path: at("bin"), offers: all},
		{name: "Baktfold's own variable", programs: installed{"bakta": onPath}, path: at("bin"), variable: at("fold"), offers: all},
		{name: "Baktfold without a database", programs: installed{"bakta": onPath}, path: at("bin"), offers: both},
		{name: "a stand-in for Baktfold", programs: installed{"bakta": whole, "baktfold": {Path: StandIn}}, offers: all},
		{name: "a stand-in for Bakta alone", programs: installed{"bakta": {Path: StandIn}, "baktfold": baktfold}, offers: all},

		{name: "no Bakta", programs: installed{"bakta": {Path: "bakta"}}, fails: `--bakta: the program "bakta" was not found`},
		{name: "no database", programs: installed{"bakta": {Path: at("bin/bakta")}}, fails: "--bakta-db: Bakta needs its database"},
		{name: "another database", programs: installed{"bakta": {Path: at("bin/bakta"), Database: at("none")}},
			fails: "is not a database of Bakta"},
		{name: "the folder of the database", programs: installed{"bakta": {Path: at("bin/bakta"), Database: dir}}, fails: "; give " + at("db")},
		{name: "no proteins", programs: installed{"bakta": whole, "bakta_proteins": {Path: "/nowhere"}},
			fails: `--bakta-proteins: the program "/nowhere" was not found`},
		{name: "proteins beside the stand-in", programs: installed{"bakta": {Path: StandIn}, "bakta_proteins": {Path: at("bin/bakta_proteins")}},
			fails: "--bakta-proteins: the program needs the database of bakta"},
		{name: "no Baktfold", programs: installed{"bakta": whole, "baktfold": {Path: "/nowhere", Database: at("fold")}},
			fails: `--baktfold: the program "/nowhere" was not found`},
		{name: "no Baktfold for its database", programs: installed{"bakta": whole, "baktfold": {Database: at("fold")}},
			fails: `--baktfold: the program "baktfold" was not found`},
		{name: "no database of Baktfold", programs: installed{"bakta": whole, "baktfold": {Path: at("bin/baktfold")}},
			fails: "--baktfold-db: Baktfold needs its database"},
		{name: "another database of Baktfold", programs: installed{"bakta": whole, "baktfold": {Path: at("bin/baktfold"), Database: at("none")}},
			fails: "--baktfold-db: " + at("none") + " is not a database of Baktfold"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Setenv("BAKTA_DB", "")
			t.Setenv("PHOLD_DBDIR", row.variable)
			o := Options{Programs: row.programs, StandIn: []string{"self", "stand-in"}}
			if row.path == "" {
				row.path = "/nowhere"
			}
			t.Setenv("PATH", row.path)
			found, err := findTools(o)
			if row.fails != "" {
				if err == nil || !strings.Contains(err.Error(), row.fails) {
					t.Errorf("%v, want %s", err, row.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var offers []string
			for _, w := range found.offered() {
				offers = append(offers, w.Kind)
			}
			if diff := cmp.Diff(row.offers, offers); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestTools checks the command lines, the variables and the versions of the programs that were found.
func TestTools(t *testing.T) {
	dir := place(t, "bakta", "bakta_proteins")
	t.Setenv("BAKTA_STAND_IN_STEP_DELAY", "1ms")
	found, err := findTools(Options{Programs: map[string]Installed{
		"bakta": {Path: filepath.Join(dir, "bin/bakta"), Database: filepath.Join(dir, "db")}, "baktfold": {Path: StandIn},
	}, StandIn: []string{"self", "stand-in"}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]program.Environment{
		"bakta":          {Command: []string{filepath.Join(dir, "bin/bakta")}, Database: filepath.Join(dir, "db")},
		"bakta_proteins": {Command: []string{filepath.Join(dir, "bin/bakta_proteins")}, Database: filepath.Join(dir, "db")},
		"baktfold":       {Command: []string{"self", "stand-in", "baktfold"}},
	}
	for program, environment := range want {
		if diff := cmp.Diff(environment, found[program].environment); diff != "" {
			t.Errorf("%s: %s", program, diff)
		}
		if gets := slices.Contains(found[program].variables, "BAKTA_STAND_IN_STEP_DELAY=1ms"); gets != (program == "baktfold") {
			t.Errorf("%s gets %v", program, found[program].variables)
		}
	}
	versions := found.versions("v1")
	if v := versions(); v.Programs["bakta"] != "" || v.Databases["bakta"] != "6.0, light" || v.Programs["baktfold"] != StandIn {
		t.Errorf("before the programs were called: %+v", v)
	}
	if err := found.ask(t.Context(), slog.Default()); err != nil {
		t.Fatal(err)
	}
	v := versions()
	if v.Programs["bakta"] != "1.12.2" || v.Databases["bakta"] != "6.0, light" || v.Programs["baktfold"] != StandIn || v.Backend != "v1" {
		t.Errorf("%+v", v)
	}
}

// TestVersions: a program that fails ends the backend; a program that exceeds the timeout does not.
func TestVersions(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ script, fails string }{
		"works":            {"echo bakta 1.2", ""},
		"does not":         {"echo no module named bakta >&2; exit 1", "--bakta: `%s --version` failed: exit status 1\nno module named bakta"},
		"prints nothing":   {"true", "--bakta: `%s --version` prints nothing"},
		"takes too long":   {"exec sleep 1000", ""},
		"leaves a process": {"sleep 1000 & echo bakta 1.2; wait", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "bakta")
			if err := os.WriteFile(path, []byte("#!/bin/sh\n"+row.script+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			within := time.Minute
			if strings.Contains(row.script, "1000") {
				within = 300 * time.Millisecond
			}
			found := tools{"bakta": {
				environment: program.Environment{Command: []string{path}},
				version:     &version{named: "--bakta", within: within, arguments: []string{"--version"}},
			}}
			err := found.ask(t.Context(), slog.New(slog.DiscardHandler))
			if want := strings.ReplaceAll(row.fails, "%s", path); err == nil && want != "" || err != nil && err.Error() != want {
				t.Errorf("%v, want %q", err, want)
			}
		})
	}
}
