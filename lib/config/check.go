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

// Need is a part of the outside that a function needs to reach.
type Need int

// What functions need.
const (
	Mongo    Need = iota // Database
	S3Store              // Objectstorage
	Kube                 // K8sNamespace, JobContainer and what else a Kubernetes Job needs
	KubeLogs             // K8sNamespace: where jobs run, to read their logs
)

// Error holds everything that is wrong with a configuration.
type Error struct {
	Path     string
	Problems []Problem
}

// Problem is one thing that is wrong.
type Problem struct {
	Line int    // in the file; 0 when it is about no line of it
	Text string // names the key and says what to do
}

// Error names all problems, a line each.
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

// byLine orders what is about no line of the file behind the rest.
func byLine(a, b int) int {
	if (a == 0) != (b == 0) {
		return cmp.Compare(b, a)
	}
	return cmp.Compare(a, b)
}

// findings collects what is found on the way.
type findings struct {
	lines    map[string]int    // by path of the key
	former   map[string]string // keys that the file calls by a former name, by path of the key
	problems []Problem
	warnings []Warning
}

func (f *findings) problem(line int, format string, args ...any) {
	f.problems = append(f.problems, Problem{Line: line, Text: fmt.Sprintf(format, args...)})
}

func (f *findings) warn(line int, format string, args ...any) {
	f.warnings = append(f.warnings, Warning{Line: line, Text: fmt.Sprintf(format, args...)})
}

// asWritten makes texts that begin with a key say how the file calls it.
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

// bad notes that a key's value won't do.
func (f *findings) bad(key, format string, args ...any) {
	f.problem(f.lines[key], "%s %s", key, fmt.Sprintf(format, args...))
}

// failed reports whether there is a problem with the key already, so that it is told once.
func (f *findings) failed(key string) bool {
	for _, p := range f.problems {
		if strings.HasPrefix(p.Text, key+" ") {
			return true
		}
	}
	return false
}

// missing notes a needed value that is not given.
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

// checkAlways looks at what is given, whoever needs it.
func checkAlways(cfg *Config, found *findings) {
	if _, port, err := net.SplitHostPort(cfg.Listen); err != nil || !isPort(port) {
		found.bad("Listen", "is %q; write an address with a port, as in :8080. The environment variable PORT sets it, too", cfg.Listen)
	}
	switch e := cfg.Retention; {
	case e <= 0:
		found.bad("Retention", "must be more than nothing, for example 30d")
	case e < day:
		found.warn(found.lines["Retention"], "Retention is %s: jobs and their results are removed after less than a day. "+
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
		found.bad("Job.User", "is %d; it must be a number above 0, which is nobody who may do everything", n)
	}
	checkSize("Limits.GenomeSize", cfg.Limits.GenomeSize, found)
	checkSize("Limits.BodySize", cfg.Limits.BodySize, found)
	if cfg.Limits.ListSize < 1 {
		found.bad("Limits.ListSize", "is %d; it must be at least 1", cfg.Limits.ListSize)
	}
	if cfg.Limits.Unstarted < 1 {
		found.bad("Limits.Unstarted", "is %d; it must be at least 1", cfg.Limits.Unstarted)
	}
	if p := cfg.Database.MongoPort; p < 1 || p > 65535 {
		found.bad("Database.MongoPort", "is %d; a port is 1 to 65535", p)
	}
	if p := cfg.UpdateService.Port; p < 0 || p > 65535 {
		found.bad("UpdateService.Port", "is %d; a port is 1 to 65535", p)
	}
	checkTelemetry(cfg, found)
	for _, origin := range cfg.CORS.Origins {
		if origin != "*" && !isOrigin(origin) {
			found.bad("CORS.Origins", "holds %q; write an origin as in https://bakta.example.org, or * for any", origin)
		}
	}
	if n := cfg.Access.TrustedProxies; n < 0 || n > 10 {
		found.bad("Access.TrustedProxies", "is %d; it must be 0 to 10", n)
	}
	if name := cfg.Access.ForwardedHeader; !strings.EqualFold(name, "X-Forwarded-For") && !strings.EqualFold(name, "Forwarded") {
		found.bad("Access.ForwardedHeader", "is %q; write X-Forwarded-For or Forwarded", name)
	}
	for _, e := range []struct{ key, value string }{
		{"Objectstorage.S3.Endpoint", cfg.Objectstorage.S3.Endpoint},
		{"Objectstorage.S3.PublicEndpoint", cfg.Objectstorage.S3.PublicEndpoint},
	} {
		if e.value != "" && !isOrigin(strings.TrimSuffix(e.value, "/")) {
			found.bad(e.key, "is %q; write a URL without a path, as in https://s3.example.org or http://minio:9000", e.value)
		}
	}
	if uri := cfg.Database.URI.Reveal(); uri != "" && !strings.HasPrefix(uri, "mongodb://") && !strings.HasPrefix(uri, "mongodb+srv://") {
		// The value stays out of the message: it may hold a password.
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
			found.bad("JobCommand", "holds a control character")
		}
	}
	if len(cfg.JobCommand) == 0 {
		found.bad("JobCommand", "is empty; name what starts Bakta in the image, or leave the key out")
	}
}

// checkJobImage refuses the image that existing files have.
func checkJobImage(key, image string, found *findings) {
	name := repository(image)
	if base := name[strings.LastIndex(name, "/")+1:]; strings.HasPrefix(base, oldJobImage) {
		found.bad(key, "is %q, the job image of the older backend: it takes no arguments for Bakta and can't serve here. "+
			"Images that serve are %s, which is Bakta's own, and the BioContainers image biocontainers/bakta (JobCommand: [bakta])",
			image, officialImage)
	}
}

// repository returns an image's name without tag and digest, and without the host for the images of the default
// registry.
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
		found.bad(key+".Limit", "must be more than nothing")
	}
	if r.Request.Milli() > r.Limit.Milli() {
		found.bad(key+".Request", "is %q, more than the limit, which is %q", r.Request, r.Limit)
	}
}

func checkMemory(key string, q Quantity, found *findings) {
	// "4000m" is four bytes and "4000" four thousand. Both were meant otherwise.
	if q.Milli() > 0 && q.Floor() < 1<<20 {
		found.bad(key, "is %q, which is less than 1 MiB; write Mi or Gi behind the number", q)
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
		"the host of MongoDB; or set the environment variable MONGODB_URI to its whole connection string",
	)
	if d.MongoUser != "" && d.Password == "" {
		found.problem(0, "the environment variable MongoPassword is missing: the password of Database.MongoUser")
	}
}

func checkS3(s S3, found *findings) {
	found.missing(s.UserBucket, "Objectstorage.S3.UserBucket", "the bucket of input and output data")
	found.missing(s.Endpoint, "Objectstorage.S3.Endpoint", "the URL of the object storage, as in http://minio:9000")
	if s.AccessKey == "" {
		found.problem(0, "the environment variable AWS_ACCESS_KEY_ID is missing: the name of the key for the object storage")
	}
	if s.SecretKey == "" {
		found.problem(0, "the environment variable AWS_SECRET_ACCESS_KEY is missing: the key for the object storage")
	}
}

func checkKubeLogs(cfg *Config, found *findings) {
	found.missing(cfg.K8sNamespace, "K8sNamespace", "the namespace that jobs run in")
}

func checkKube(cfg *Config, found *findings) {
	checkKubeLogs(cfg, found)
	if cfg.Programs.Bakta.Database == "" {
		found.missing(cfg.BaktaDatabasePVCName, "BaktaDatabasePVCName", "the volume claim that holds Bakta's database")
	}
	if cfg.Programs.Bakta.Image == "" {
		found.missing(cfg.JobContainer, "JobContainer", "the image that holds Bakta, for example "+officialImage)
	}
	found.missing(cfg.StagerContainer, "StagerContainer", "the image of the stager; or set the environment variable of that name")
	found.missing(
		cfg.Objectstorage.S3.SecretName,
		"Objectstorage.S3.SecretName",
		"the Kubernetes Secret that jobs get the object storage's keys from",
	)
	found.missing(cfg.UpdateService.Name, "UpdateService.Name", "the service that a job tells its news to")
	if cfg.UpdateService.Port == 0 && !found.failed("UpdateService.Port") {
		found.bad("UpdateService.Port", "is missing: the port of that service")
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
			found.bad(named.key, "is %q; a name in Kubernetes has lower-case letters, digits, - and .", named.value)
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
