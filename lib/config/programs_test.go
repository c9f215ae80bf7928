package config

import (
	"reflect"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/program/bakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program/baktfold"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
	"github.com/google/go-cmp/cmp"
)

// TestProgram checks each program with the values that the file omits.
func TestProgram(t *testing.T) {
	amount := func(limit, request string) Resource {
		return Resource{Limit: mustQuantity(limit), Request: mustQuantity(request)}
	}
	job := Program{CPU: amount("4", "4"), Memory: amount("4000Mi", "4000Mi")}
	with := func(change func(*Program)) Program {
		p := job
		change(&p)
		return p
	}
	for _, tt := range []struct {
		name, file, program string
		want                Program
	}{
		{"Bakta by JobContainer", "Job: {WritableRoot: true}", bakta.Name, with(func(p *Program) {
			p.Image, p.Command, p.Database, p.WritableRoot = "oschwengers/bakta:latest", []string{OfficialEntry}, "db/db", true
		})},
		{"Bakta with the test database", "Testing: true", bakta.Name, with(func(p *Program) {
			p.Image, p.Command, p.Database = "oschwengers/bakta:latest", []string{OfficialEntry}, "db/db-mock"
		})},
		{"Bakta of its own", "JobCommand: [x]\nJob: {WritableRoot: true}\nPrograms: {Bakta: {Image: y, Database: other/1, CPU: {Limit: 8}}}",
			bakta.Name, with(func(p *Program) {
				p.Image, p.Command, p.Database, p.CPU, p.WritableRoot = "y", []string{"bakta"}, "other/1", amount("8", "8"), true
			})},
		{"the official image, also under Programs", "Programs: {Bakta: {Image: docker.io/oschwengers/bakta}}", bakta.Name,
			with(func(p *Program) {
				p.Image, p.Command, p.Database = "docker.io/oschwengers/bakta", []string{OfficialEntry}, "db/db"
			})},
		{"no proteins", "", bakta.ProteinsName, with(func(p *Program) { p.Command, p.Database = []string{"bakta_proteins"}, "db/db" })},
		{"proteins", "Programs: {BaktaProteins: {Image: biocontainers/bakta}}", bakta.ProteinsName, with(func(p *Program) {
			p.Image, p.Command, p.Database = "biocontainers/bakta", []string{"bakta_proteins"}, "db/db"
		})},
		{"Baktfold",
			"Programs: {Baktfold: {Image: x, Command: [run, baktfold], Database: fold, CPU: {Request: 1}, Memory: {Limit: 32Gi, Request: 16Gi}, " +
				"Resources: [nvidia.com/gpu=1], NodeSelector: [gpu=yes], Tolerations: [gpu], WritableRoot: true}}", baktfold.Name, Program{
				Image: "x", Command: []string{"run", "baktfold"}, Database: "fold", CPU: amount("4", "1"), Memory: amount("32Gi", "16Gi"),
				Resources: []string{"nvidia.com/gpu=1"}, NodeSelector: []string{"gpu=yes"}, Tolerations: []string{"gpu"}, WritableRoot: true,
			}},
		{"none", "", "prokka", with(func(p *Program) { p.Command = []string{"prokka"} })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, _, err := parse("x", []byte(complete+tt.file), environment(nil), everything)
			if err != nil {
				t.Fatal(err)
			}
			got := cfg.Program(tt.program)
			for _, list := range []*[]string{&got.Resources, &got.NodeSelector, &got.Tolerations} {
				if len(*list) == 0 {
					*list = nil
				}
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(Quantity{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestProgramParts(t *testing.T) {
	for database, want := range map[string][2]string{"": {"", ""}, "a": {"a", ""}, "a/b/c": {"a", "b/c"}} {
		if claim, dir := (Program{Database: database}).Claim(); claim != want[0] || dir != want[1] {
			t.Errorf("%q: %q, %q", database, claim, dir)
		}
	}
	for resource, want := range map[string]bool{
		"nvidia.com/gpu=1": true, "amd.com/gpu=2": true, "gpu.intel.com/i915=1": true, "nvidia.com/mig-1g.5gb=1": true,
		"example.org/disk=1": false,
	} {
		if p := (Program{Resources: []string{resource}}); p.GPU() != want || len(p.Further()) != 1 {
			t.Errorf("%s: GPU %t, %v", resource, p.GPU(), p.Further())
		}
	}
}

// Each program of the workflows has its section and its versions, and no section is without a program.
func TestProgramsHaveSections(t *testing.T) {
	sections := reflect.TypeFor[Programs]()
	for _, p := range workflow.Programs() {
		if field, ok := sections.FieldByName(p.Key); !ok || field.Type != reflect.TypeFor[Program]() {
			t.Errorf("Programs has no section %q", p.Key)
		}
		for _, key := range []string{p.VersionKey, p.DatabaseVersionKey} {
			if _, ok := reflect.TypeFor[Version]().FieldByName(key); !ok && key != "" {
				t.Errorf("Version has no key %q", key)
			}
		}
	}
	if sections.NumField() != len(workflow.Programs()) {
		t.Errorf("there are %d sections for %d programs", sections.NumField(), len(workflow.Programs()))
	}
}
