package config

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Need is a service that a function uses.
type Need int

// The services that functions use, with the keys that each requires.
const (
	Mongo    Need = iota // Database
	S3Store              // Objectstorage
	Kube                 // K8sNamespace, JobContainer and the other keys of a Kubernetes Job
	KubeLogs             // K8sNamespace: the namespace of jobs, to read their logs
)

// Error contains all problems of a configuration.
type Error struct {
	Path     string
	Problems []Problem
}

// Problem is one fault of a configuration.
type Problem struct {
	Line int    // in the file; 0 if the problem is not on a line of it
	Text string // names the key and says what to do
}

// Error lists all problems, one per line.
func (e *Error) Error() string {
	var text strings.Builder
	if len(e.Problems) == 1 {
		fmt.Fprintf(&text, "the configuration %s has a problem:", e.Path)
	} else {
		fmt.Fprintf(&text, "the configuration %s has %d problems:", e.Path, len(e.Problems))
	}
	for _, p := range e.Problems {
		text.WriteString("\n  " + atLine(p.Line, p.Text))
	}
	return text.String()
}

func atLine(line int, text string) string {
	if line == 0 {
		return text
	}
	return fmt.Sprintf("line %d: %s", line, text)
}

// byLine compares line numbers. 0, no line of the file, comes last.
func byLine(a, b int) int {
	if (a == 0) != (b == 0) {
		return cmp.Compare(b, a)
	}
	return cmp.Compare(a, b)
}

// findings collects problems and warnings.
type findings struct {
	lines    map[string]int    // by path of the key
	former   map[string]string // former names that the file uses, by path of the key
	problems []Problem
	warnings []Warning
}

func (f *findings) problem(line int, format string, args ...any) {
	f.problems = append(f.problems, Problem{Line: line, Text: fmt.Sprintf(format, args...)})
}

func (f *findings) warn(line int, format string, args ...any) {
	f.warnings = append(f.warnings, Warning{Line: line, Text: fmt.Sprintf(format, args...)})
}

// asWritten adds the former name of a key to the texts about it, if the file uses that name.
func (f *findings) asWritten() {
	name := func(text string) string {
		for now, former := range f.former {
			if rest, ok := strings.CutPrefix(text, now+" "); ok {
				return former + " (now " + now + ") " + rest
			}
		}
		return text
	}
	for i := range f.problems {
		f.problems[i].Text = name(f.problems[i].Text)
	}
	for i := range f.warnings {
		f.warnings[i].Text = name(f.warnings[i].Text)
	}
}

// bad adds a problem with the value of a key.
func (f *findings) bad(key, format string, args ...any) {
	f.problem(f.lines[key], "%s %s", key, fmt.Sprintf(format, args...))
}

// failed reports whether the key has a problem already. Each key is reported once.
func (f *findings) failed(key string) bool {
	for _, p := range f.problems {
		if strings.HasPrefix(p.Text, key+" ") {
			return true
		}
	}
	return false
}

// missing adds a problem if a required value is not given.
func (f *findings) missing(value, key, what string) {
	if value == "" && !f.failed(key) {
		f.bad(key, "is missing: %s", what)
	}
}

func check(cfg *Config, needs []Need, found *findings) {
	checkAlways(cfg, found)
	for _, need := range needs {
		switch need {
		case Mongo:
			checkMongo(cfg.Database, found)
		case S3Store:
			checkS3(cfg.Objectstorage.S3, found)
		case Kube:
			checkKube(cfg, found)
		case KubeLogs:
			checkKubeLogs(cfg, found)
		}
	}
}

// checkAlways checks the values that are given, whether or not the function needs them.
func checkAlways(cfg *Config, found *findings) {
	if _, port, err := net.SplitHostPort(cfg.Listen); err != nil || !isPort(port) {
		found.bad("Listen", "is %q; write an address with a port, such as :8080. The environment variable PORT overrides it", cfg.Listen)
	}
	switch e := cfg.Retention; {
	case e <= 0:
		found.bad("Retention", "must be positive, for example 30d")
	case e < 24*time.Hour:
		found.warn(found.lines["Retention"], "Retention is %s: jobs and their results are deleted after less than a day. "+
			"A number without a unit is seconds; write 30d for thirty days", e)
	}
	checkImage(cfg, found)
	checkPrograms(cfg, found)
	checkResource("Job.CPU", cfg.Job.CPU, found)
	checkResource("Job.Memory", cfg.Job.Memory, found)
	checkMemory("Job.Memory.Limit", cfg.Job.Memory.Limit, found)
	checkMemory("Job.Memory.Request", cfg.Job.Memory.Request, found)
	checkResource("Job.Disk", cfg.Job.Disk, found)
	checkMemory("Job.Disk.Limit", cfg.Job.Disk.Limit, found)
	checkMemory("Job.ResultsLimit", cfg.Job.ResultsLimit, found)
	checkSize("Job.ResultsLimit", cfg.Job.ResultsLimit, found)
	checkTime("Job.Deadline", cfg.Job.Deadline, found)
	checkTime("Job.TTL", cfg.Job.TTL, found)
	checkTime("Job.PendingTimeout", cfg.Job.PendingTimeout, found)
	checkTime("Job.ImageTimeout", cfg.Job.ImageTimeout, found)
	if n := cfg.Job.Retries; n < 0 || n > 10 {
		found.bad("Job.Retries", "is %d; it must be 0 to 10", n)
	}
	if n := cfg.Job.User; n < 1 || n > 1<<31-1 {
		found.bad("Job.User", "is %d; it must be the ID of a user other than root: 1 to 2147483647", n)
	}
	checkSize("Limits.GenomeSize", cfg.Limits.GenomeSize, found)
	checkSize("Limits.BodySize", cfg.Limits.BodySize, found)
	if cfg.Limits.ListSize < 1 {
		found.bad("Limits.ListSize", "is %d; it must be at least 1", cfg.Limits.ListSize)
	}
	if cfg.Limits.Unstarted < 1 {
		found.bad("Limits.Unstarted", "is %d; it must be at least 1", cfg.Limits.Unstarted)
	}
	checkCaller(cfg, found)
	if p := cfg.Database.MongoPort; p < 1 || p > 65535 {
		found.bad("Database.MongoPort", "is %d; a port is 1 to 65535", p)
	}
	if p := cfg.UpdateService.Port; p < 0 || p > 65535 {
		found.bad("UpdateService.Port", "is %d; a port is 1 to 65535", p)
	}
	checkNotify(cfg.Notify, found)
	checkTelemetry(cfg, found)
	for _, origin := range cfg.CORS.Origins {
		if origin != "*" && !isOrigin(origin) {
			found.bad("CORS.Origins", "contains %q; write an origin such as https://bakta.example.org, or * for any origin", origin)
		}
	}
	checkAccess(cfg.Access, found)
	for _, e := range []struct{ key, value string }{
		{"Objectstorage.S3.Endpoint", cfg.Objectstorage.S3.Endpoint},
		{"Objectstorage.S3.PublicEndpoint", cfg.Objectstorage.S3.PublicEndpoint},
	} {
		if e.value != "" && !isOrigin(strings.TrimSuffix(e.value, "/")) {
			found.bad(e.key, "is %q; write a URL without a path, such as https://s3.example.org or http://minio:9000", e.value)
		}
	}
	if uri := cfg.Database.URI.Reveal(); uri != "" && !strings.HasPrefix(uri, "mongodb://") && !strings.HasPrefix(uri, "mongodb+srv://") {
		// The value is not part of the message: it may contain a password.
		found.bad("Database.URI", "must begin with mongodb:// or mongodb+srv://")
	}
}

const (
	officialImage = "oschwengers/bakta"
	oldJobImage   = "bakta-web-job"
)

func checkImage(cfg *Config, found *findings) {
	checkJobImage("JobContainer", cfg.JobContainer, found)
	for _, part := range cfg.JobCommand {
		if strings.ContainsFunc(part, func(r rune) bool { return r < ' ' }) {
			found.bad("JobCommand", "contains a control character")
		}
	}
	if len(cfg.JobCommand) == 0 {
		found.bad("JobCommand", "is empty; write the command that starts Bakta in the image, or omit the key")
	}
}

// checkJobImage refuses the image that configuration files of the older backend name.
func checkJobImage(key, image string, found *findings) {
	name := repository(image)
	if base := name[strings.LastIndex(name, "/")+1:]; strings.HasPrefix(base, oldJobImage) {
		found.bad(key, "is %q, the job image of the older backend, which does not accept Bakta's arguments; "+
			"use %s, Bakta's own image, or the BioContainers image biocontainers/bakta with JobCommand: [bakta]",
			image, officialImage)
	}
}

// repository returns the name of an image without its tag and digest. It also removes the host of the default registry.
func repository(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndex(image, ":"); i > strings.LastIndex(image, "/") {
		image = image[:i]
	}
	for _, host := range []string{"docker.io/", "index.docker.io/"} {
		image = strings.TrimPrefix(image, host)
	}
	return image
}

func checkResource(key string, r Resource, found *findings) {
	if found.failed(key+".Limit") || found.failed(key+".Request") {
		return
	}
	if r.Limit.Milli() <= 0 {
		found.bad(key+".Limit", "must be greater than 0")
	}
	if r.Request.Milli() > r.Limit.Milli() {
		found.bad(key+".Request", "is %q, more than the limit, which is %q", r.Request, r.Limit)
	}
}

func checkMemory(key string, q Quantity, found *findings) {
	// "4000m" is four bytes and "4000" four thousand. Neither is what an operator means.
	if q.Milli() > 0 && q.Floor() < 1<<20 {
		found.bad(key, "is %q, which is less than 1 MiB; add Mi or Gi to the number", q)
	}
}

func checkTime(key string, d time.Duration, found *findings) {
	if d < time.Second {
		found.bad(key, "is %s; it must be at least a second", d)
	}
}

func checkSize(key string, q Quantity, found *findings) {
	if q.Floor() < 1 {
		found.bad(key, "must be at least 1 byte")
	}
}

func checkMongo(d Database, found *findings) {
	if d.Name() == "" && !found.failed("Database.MongoDBName") {
		found.bad("Database.MongoDBName", "is missing: the name of the database")
	}
	if d.URI != "" || found.failed("Database.URI") {
		return
	}
	found.missing(
		d.MongoHost,
		"Database.MongoHost",
		"the host of MongoDB; or set the environment variable MONGODB_URI to the full connection string",
	)
	if d.MongoUser != "" && d.Password == "" {
		found.problem(0, "the environment variable MongoPassword is missing: the password of Database.MongoUser")
	}
}

func checkS3(s S3, found *findings) {
	found.missing(s.UserBucket, "Objectstorage.S3.UserBucket", "the bucket of input and output data")
	found.missing(s.Endpoint, "Objectstorage.S3.Endpoint", "the URL of the S3 store, such as http://minio:9000")
	if s.AccessKey == "" {
		found.problem(0, "the environment variable AWS_ACCESS_KEY_ID is missing: the access key ID for the S3 store")
	}
	if s.SecretKey == "" {
		found.problem(0, "the environment variable AWS_SECRET_ACCESS_KEY is missing: the secret access key for the S3 store")
	}
}

func checkKubeLogs(cfg *Config, found *findings) {
	found.missing(cfg.K8sNamespace, "K8sNamespace", "the namespace that jobs run in")
}

func checkKube(cfg *Config, found *findings) {
	checkKubeLogs(cfg, found)
	if cfg.Programs.Bakta.Database == "" {
		found.missing(cfg.BaktaDatabasePVCName, "BaktaDatabasePVCName", "the PersistentVolumeClaim of Bakta's reference database")
	}
	if cfg.Programs.Bakta.Image == "" {
		found.missing(cfg.JobContainer, "JobContainer", "the image that contains Bakta, for example "+officialImage)
	}
	found.missing(cfg.StagerContainer, "StagerContainer", "the image of the stager; or set the environment variable of that name")
	found.missing(
		cfg.Objectstorage.S3.SecretName,
		"Objectstorage.S3.SecretName",
		"the Kubernetes Secret with the keys of the S3 store, for jobs",
	)
	found.missing(cfg.UpdateService.Name, "UpdateService.Name", "the Service that jobs report their progress to")
	if cfg.UpdateService.Port == 0 && !found.failed("UpdateService.Port") {
		found.bad("UpdateService.Port", "is missing: the port of that Service")
	}
	for _, named := range []struct{ key, value string }{
		{"K8sNamespace", cfg.K8sNamespace},
		{"BaktaDatabasePVCName", cfg.BaktaDatabasePVCName},
		{"Objectstorage.S3.SecretName", cfg.Objectstorage.S3.SecretName},
		{"Job.Queue", cfg.Job.Queue},
		{"Job.PriorityClass", cfg.Job.PriorityClass},
		{"Job.ServiceAccount", cfg.Job.ServiceAccount},
	} {
		if named.value != "" && !objectName.MatchString(named.value) {
			found.bad(named.key, "is %q; a Kubernetes name consists of lower-case letters, digits, - and .", named.value)
		}
	}
}

var objectName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)

func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n <= 65535
}

// isOrigin reports whether text is scheme://host[:port] and nothing else.
func isOrigin(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil &&
		u.Path == "" && u.RawQuery == "" && u.Fragment == "" && (u.Port() == "" || isPort(u.Port()))
}
