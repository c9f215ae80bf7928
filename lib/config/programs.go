package config

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/program/bakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// Programs configure the programs that jobs run. A program's missing values are those of Job and of the keys around it.
type Programs struct {
	Bakta         Program // annotates genomes; its image is JobContainer if none is named here
	BaktaProteins Program // Bakta's program that annotates proteins
	Baktfold      Program // extends an annotation by Bakta
}

// Program is the image, the command, the reference database and the resources of a program.
type Program struct {
	Image        string   // image that contains it; if empty, workflows that use the program are not offered
	Command      []string // command that starts it in that image; its arguments are appended
	Database     string   // PersistentVolumeClaim of its reference database, and optionally the directory there: claim/directory
	CPU          Resource
	Memory       Resource
	Resources    []string // extended resources that it needs: name=amount, such as nvidia.com/gpu=1
	NodeSelector []string // label=value that nodes must have, in addition to those of Job
	Tolerations  []string // taints of nodes that pods tolerate, in addition to those of Job
	WritableRoot bool     // its image doesn't work with a read-only root file system
	Network      bool     // it may open network connections
}

// of returns the section of the program with that key. A test holds that each program of the workflows has one.
func (p Programs) of(key string) Program {
	section, _ := reflect.ValueOf(p).FieldByName(key).Interface().(Program)
	return section
}

// Program returns the configuration of a program, with the values that the file omits. Without an image, the program
// can't be used.
func (c Config) Program(name string) Program {
	var p Program
	row, known := workflow.Program(name)
	if known {
		p = c.Programs.of(row.Key)
	}
	if name == bakta.Name && p.Image == "" {
		p.Image = c.JobContainer
		if len(p.Command) == 0 {
			p.Command = c.JobCommand
		}
	}
	if p.Database == "" && (name == bakta.Name || row.Part == bakta.Name) && c.BaktaDatabasePVCName != "" {
		p.Database = c.BaktaDatabasePVCName + "/" + c.DatabaseDir()
	}
	if len(p.Command) == 0 {
		p.Command = []string{name}
		if name == bakta.Name && repository(p.Image) == officialImage {
			p.Command = []string{OfficialEntry}
		}
	}
	p.CPU = p.CPU.or(c.Job.CPU)
	p.Memory = p.Memory.or(c.Job.Memory)
	// Either key may name Bakta's image.
	if name == bakta.Name || p.Image == c.JobContainer {
		p.WritableRoot = p.WritableRoot || c.Job.WritableRoot
	}
	return p
}

// or returns the amounts, with those of other where none are given. A limit without a request is also the request.
func (r Resource) or(other Resource) Resource {
	switch {
	case r.Limit == (Quantity{}) && r.Request == (Quantity{}):
		return other
	case r.Limit == (Quantity{}):
		r.Limit = other.Limit
	case r.Request == (Quantity{}):
		r.Request = r.Limit
	}
	return r
}

// Claim returns the PersistentVolumeClaim of the program's reference database, and the directory there. Both are
// empty if the program has no database.
func (p Program) Claim() (claim, directory string) {
	claim, directory, _ = strings.Cut(p.Database, "/")
	return claim, directory
}

// Threads returns the number of threads that the program may use: the CPU limit rounded down, at least one. None of
// the programs detects the limit of its container.
func (p Program) Threads() int { return int(max(1, p.CPU.Limit.Floor())) }

// Further returns the amounts of the extended resources by their names.
func (p Program) Further() map[string]string {
	further := make(map[string]string, len(p.Resources))
	for _, r := range p.Resources {
		name, amount, _ := strings.Cut(r, "=")
		further[name] = amount
	}
	return further
}

// GPU reports whether the program has a GPU.
func (p Program) GPU() bool {
	return slices.ContainsFunc(p.Resources, func(r string) bool {
		name, _, _ := strings.Cut(r, "=")
		// Names of the vendors' device plugins: nvidia.com/gpu, amd.com/gpu, gpu.intel.com/i915, nvidia.com/mig-1g.5gb.
		return strings.Contains(name, "gpu") || strings.HasPrefix(name, "nvidia.com/")
	})
}

// checkPrograms checks the values of the programs. Values that they inherit are checked under their own keys.
func checkPrograms(cfg *Config, found *findings) {
	for _, known := range workflow.Programs() {
		key, given, p := "Programs."+known.Key, cfg.Programs.of(known.Key), cfg.Program(known.Name)
		if known.Name != bakta.Name && repository(given.Image) == officialImage && len(given.Command) == 0 {
			found.bad(
				key+".Image",
				"is %q, whose entry point starts only bakta, and %s is not found without that entry point; set %s.Command, "+
					"or use the BioContainers image biocontainers/bakta",
				given.Image,
				known.Name,
				key,
			)
		}
		checkJobImage(key+".Image", given.Image, found)
		for _, part := range given.Command {
			if strings.ContainsFunc(part, func(r rune) bool { return r < ' ' }) {
				found.bad(key+".Command", "contains a control character")
			}
		}
		if given.Database != "" {
			checkClaim(key+".Database", given, found)
		}
		if known.Name != bakta.Name && known.Part == "" && given.Image != "" {
			found.missing(given.Database, key+".Database", "the PersistentVolumeClaim of "+known.Title+"'s reference database")
		}
		if given.CPU != (Resource{}) {
			checkResource(key+".CPU", p.CPU, found)
		}
		if given.Memory != (Resource{}) {
			checkResource(key+".Memory", p.Memory, found)
			checkMemory(key+".Memory.Limit", given.Memory.Limit, found)
			checkMemory(key+".Memory.Request", given.Memory.Request, found)
		}
		for _, r := range given.Resources {
			name, amount, ok := strings.Cut(r, "=")
			n, err := strconv.Atoi(amount)
			if domain, rest, slash := strings.Cut(name, "/"); !ok || err != nil || n < 1 || !slash || domain == "" || rest == "" {
				found.bad(key+".Resources", "contains %q; write domain/name=amount with a whole number, such as nvidia.com/gpu=1", r)
			}
		}
	}
}

// checkClaim checks the claim and the directory of a reference database.
func checkClaim(key string, p Program, found *findings) {
	claim, directory := p.Claim()
	if !objectName.MatchString(claim) {
		found.bad(
			key,
			"is %q; write the name of a PersistentVolumeClaim (lower-case letters, digits, - and .), optionally with /directory",
			p.Database,
		)
	}
	for part := range strings.SplitSeq(directory, "/") {
		if part == ".." {
			found.bad(key, "is %q; the directory must be inside the volume", p.Database)
		}
	}
}
