package config

import (
	"slices"
	"strconv"
	"strings"
)

// Programs say how each program that jobs run is reached. What is left out of one is as Job and the keys around it
// have it.
type Programs struct {
	Bakta         Program // the annotation of genomes; its image is JobContainer when none is named here
	BaktaProteins Program // the annotation of proteins by Bakta
	Baktfold      Program // what goes on from an annotation by Bakta
}

// Program is how a program is reached, and what it needs of a machine.
type Program struct {
	Image        string   // image that holds it; when empty, nothing that needs it is offered
	Command      []string // what starts it in that image; its arguments follow
	Database     string   // volume claim that holds its database, and maybe its directory there: claim/directory
	CPU          Resource
	Memory       Resource
	Resources    []string // further resources of machines that it needs: name=amount, as in nvidia.com/gpu=1
	NodeSelector []string // label=value of machines that may be used, besides those of Job
	Tolerations  []string // taints of machines that may be used all the same, besides those of Job
	WritableRoot bool     // its image doesn't work with a read-only root file system
}

// The programs that this package knows, as the workflows call them.
const (
	programBakta    = "bakta"
	programProteins = "bakta_proteins"
	programBaktfold = "baktfold"
)

// programKeys are the keys of the programs below Programs.
func programKeys() []struct{ name, key string } {
	return []struct{ name, key string }{
		{programBakta, "Bakta"}, {programProteins, "BaktaProteins"}, {programBaktfold, "Baktfold"},
	}
}

// ProgramKey returns the key under which a program stands in the file.
func ProgramKey(name string) string {
	for _, p := range programKeys() {
		if p.name == name {
			return "Programs." + p.key
		}
	}
	return ""
}

// Program returns how the program of that name is reached, with all that the file leaves out. Without an image it
// can't be.
func (c Config) Program(name string) Program {
	var p Program
	switch name {
	case programBakta:
		p = c.Programs.Bakta
		if p.Image == "" {
			p.Image = c.JobContainer
			if len(p.Command) == 0 {
				p.Command = c.JobCommand
			}
		}
	case programProteins:
		p = c.Programs.BaktaProteins
	case programBaktfold:
		p = c.Programs.Baktfold
	}
	if p.Database == "" && (name == programBakta || name == programProteins) && c.BaktaDatabasePVCName != "" {
		p.Database = c.BaktaDatabasePVCName + "/" + c.DatabaseDir()
	}
	if len(p.Command) == 0 {
		p.Command = []string{name}
		if name == programBakta && repository(p.Image) == officialImage {
			p.Command = []string{OfficialEntry}
		}
	}
	p.CPU = p.CPU.or(c.Job.CPU)
	p.Memory = p.Memory.or(c.Job.Memory)
	// Bakta's image may be named in either place.
	if name == programBakta || p.Image == c.JobContainer {
		p.WritableRoot = p.WritableRoot || c.Job.WritableRoot
	}
	return p
}

// or returns the amounts, with the others in place of what is not given. A limit alone is a request, too.
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

// Claim returns the volume claim that holds the program's database, and its directory there; both are empty if it
// has none.
func (p Program) Claim() (claim, directory string) {
	claim, directory, _ = strings.Cut(p.Database, "/")
	return claim, directory
}

// Threads returns how many threads the program is told to use: what the CPU limit allows, at least one. No program
// here sees the limit by itself.
func (p Program) Threads() int { return int(max(1, p.CPU.Limit.Floor())) }

// Further returns the amounts of the further resources by their names.
func (p Program) Further() map[string]string {
	further := make(map[string]string, len(p.Resources))
	for _, r := range p.Resources {
		name, amount, _ := strings.Cut(r, "=")
		further[name] = amount
	}
	return further
}

// GPU reports whether the program is given a graphics processor.
func (p Program) GPU() bool {
	return slices.ContainsFunc(p.Resources, func(r string) bool {
		name, _, _ := strings.Cut(r, "=")
		// The vendors' plugins say nvidia.com/gpu, amd.com/gpu, gpu.intel.com/i915, nvidia.com/mig-1g.5gb and the like.
		return strings.Contains(name, "gpu") || strings.HasPrefix(name, "nvidia.com/")
	})
}

// checkPrograms looks at what is said of the programs. What they take from elsewhere is looked at there.
func checkPrograms(cfg *Config, found *findings) {
	own := map[string]Program{
		programBakta:    cfg.Programs.Bakta,
		programProteins: cfg.Programs.BaktaProteins,
		programBaktfold: cfg.Programs.Baktfold,
	}
	for _, known := range programKeys() {
		key, given, p := "Programs."+known.key, own[known.name], cfg.Program(known.name)
		if known.name != programBakta && repository(given.Image) == officialImage && len(given.Command) == 0 {
			found.bad(
				key+".Image",
				"is %q, whose entry point starts nothing but bakta, and outside of it %s is not found; name what starts it as %s.Command, or take the BioContainers image biocontainers/bakta",
				given.Image,
				known.name,
				key,
			)
		}
		checkJobImage(key+".Image", given.Image, found)
		for _, part := range given.Command {
			if strings.ContainsFunc(part, func(r rune) bool { return r < ' ' }) {
				found.bad(key+".Command", "holds a control character")
			}
		}
		if given.Database != "" {
			checkClaim(key+".Database", given, found)
		}
		if known.name == programBaktfold && given.Image != "" {
			found.missing(given.Database, key+".Database", "the volume claim that holds Baktfold's database")
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
				found.bad(key+".Resources", "holds %q; write domain/name=amount with a whole number, as in nvidia.com/gpu=1", r)
			}
		}
	}
}

// checkClaim looks at where a database lies.
func checkClaim(key string, p Program, found *findings) {
	claim, directory := p.Claim()
	if !objectName.MatchString(claim) {
		found.bad(
			key,
			"is %q; write a volume claim, which has lower-case letters, digits, - and ., and maybe a directory behind a slash",
			p.Database,
		)
	}
	for part := range strings.SplitSeq(directory, "/") {
		if part == ".." {
			found.bad(key, "is %q; the directory must not lead out of the volume", p.Database)
		}
	}
}
