package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ag-computational-bio/bakta-web-backend/lib/settings"
)

var everything = []Need{Mongo, S3Store, Kube}

// environment returns a lookup that finds the secrets of a deployment, and what the test adds.
func environment(more map[string]string) func(string) string {
	values := map[string]string{
		"MongoPassword": "pass/word", "AWS_ACCESS_KEY_ID": "access", "AWS_SECRET_ACCESS_KEY": "secret",
		"StagerContainer": "registry.example.org/stager:1",
	}
	for name, value := range more {
		values[name] = value
	}
	return func(name string) string { return values[name] }
}

func shown(warnings []Warning) []string {
	var all []string
	for _, w := range warnings {
		all = append(all, w.String())
	}
	return all
}

func TestLoadOlderFile(t *testing.T) {
	got, warnings, err := Load("testdata/older.yaml", environment(nil), everything...)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Objectstorage.S3 = S3{
		SecretName: "s3",
		UserBucket: "bakta-userdata",
		DBBucket:   "bakta-db",
		BaseKey:    "jobs",
		Endpoint:   "http://minio:9000",
		Region:     "us-east-1",
		PathStyle:  true,
		AccessKey:  "access",
		SecretKey:  "secret",
	}
	want.Database = Database{MongoHost: "mongo-mongodb", MongoPort: 27017, MongoDBName: "bakta", MongoUser: "bakta",
		MongoAuthSource: "bakta", Password: "pass/word"}
	want.UpdateService = UpdateService{Name: "bakta-web-updater", Port: 8081}
	want.Retention = 34560 * time.Second
	want.JobContainer = "registry.example.org/oschwengers/bakta:v1.12.2"
	want.JobCommand = []string{"bakta"}
	want.StagerContainer = "registry.example.org/stager:1"
	want.K8sNamespace, want.BaktaDatabasePVCName = "bakta", "bakta-database"
	want.Version = Version{Tool: "1.10", DB: "5.1"}
	want.Job.CPU = Resource{Limit: mustQuantity("4"), Request: mustQuantity("500m")}
	want.Job.Memory = Resource{Limit: mustQuantity("8000Mi"), Request: mustQuantity("4Gi")}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Quantity{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	wantWarnings := []string{
		"line 4: Objectstorage.S3.Bucket has no effect and can be removed",
		"line 16: Database.MongoUserAuthSource has no effect and can be removed",
		"line 20: expirytime (now Retention) is 9h36m0s: jobs and their results are deleted after less than a day. " +
			"A number without a unit is seconds; write 30d for thirty days",
		"line 21: stragglerwaittime has no effect and can be removed",
	}
	if diff := cmp.Diff(wantWarnings, shown(warnings)); diff != "" {
		t.Errorf("warnings (-want +got)\n%s", diff)
	}
	if uri := got.Database.ConnectionString().Reveal(); uri != "mongodb://bakta:pass%2Fword@mongo-mongodb:27017/?authSource=bakta" {
		t.Errorf("the connection string is %s", uri)
	}
}

// complete is a file with all required keys; tests add to it.
const complete = `
Objectstorage: {S3: {UserBucket: user, Endpoint: "http://minio:9000"}}
Database: {MongoHost: mongo, MongoDBName: bakta}
UpdateService: {Name: jobupdate, Port: 80}
JobContainer: oschwengers/bakta:latest
K8sNamespace: bakta
BaktaDatabasePVCName: db
`

func TestValues(t *testing.T) {
	rows := []struct {
		name, add string
		get       func(Config) any
		want      any
	}{
		{"seconds", "Retention: 2592000", func(c Config) any { return c.Retention }, 720 * time.Hour},
		{"seconds as a string", `Retention: "86400"`, func(c Config) any { return c.Retention }, 24 * time.Hour},
		{"duration", "Retention: 720h30m", func(c Config) any { return c.Retention }, 720*time.Hour + 30*time.Minute},
		{"a former name", "ExpiryTime: 30d", func(c Config) any { return c.Retention }, 720 * time.Hour},
		{"another one", "Job: {KeepFinished: 1h}", func(c Config) any { return c.Job.TTL }, time.Hour},
		{"days", "Retention: 30d", func(c Config) any { return c.Retention }, 720 * time.Hour},
		{"days and hours", "Retention: 1d12h", func(c Config) any { return c.Retention }, 36 * time.Hour},
		{"nothing given", "Retention:", func(c Config) any { return c.Retention }, 720 * time.Hour},
		{"empty given", `Retention: ""`, func(c Config) any { return c.Retention }, 720 * time.Hour},
		{"version as a number", "Version: {DB: 5.10}", func(c Config) any { return c.Version.DB }, "5.10"},
		{"bool in capitals", "Testing: TRUE", func(c Config) any { return c.DatabaseDir() }, "db-mock"},
		{"bool left out", "", func(c Config) any { return c.DatabaseDir() }, "db"},
		{"entry point of Bakta's image", "", func(c Config) any { return c.JobCommand }, []string{"/entrypoint.sh"}},
		{
			"command given",
			"JobCommand: [micromamba, run, bakta]",
			func(c Config) any { return c.JobCommand },
			[]string{"micromamba", "run", "bakta"},
		},
		{"threads", "Job: {CPU: {Limit: 2500m, Request: 1}}", func(c Config) any { return c.Program("bakta").Threads() }, 2},
		{"threads below a core", "Job: {CPU: {Limit: 500m, Request: 100m}}", func(c Config) any { return c.Program("bakta").Threads() }, 1},
		{"an alias", "Job: {CPU: {Limit: &n 3, Request: *n}}", func(c Config) any { return c.Job.CPU.Request.String() }, "3"},
		{"origins", "CORS: {Origins: [\"https://a.example\", \"http://localhost:5173\"]}", func(c Config) any { return c.CORS.Origins },
			[]string{"https://a.example", "http://localhost:5173"}},
		{"limits of a caller", "Limits: {Caller: {Unstarted: 1, UploadBytes: 1Gi, StartsPerHour: 2, StartsPerDay: 3, Active: 5, Launched: 4, " +
			"CallsPerMinute: 6, IPv4Prefix: 24, IPv6Prefix: 48}}", func(c Config) any { return c.Limits.Caller.Settings() }, settings.Caller{
			Unstarted: 1, UploadBytes: 1 << 30, StartsPerHour: 2, StartsPerDay: 3, Active: 5, Launched: 4, CallsPerMinute: 6,
			IPv4Prefix: 24, IPv6Prefix: 48,
		}},
		{
			"limits of a caller left empty",
			"Limits: {Caller: {Active: , UploadBytes: \"\"}}",
			func(c Config) any { return c.Limits.Caller.Settings() },
			settings.Default().Caller,
		},
		{"no origin", "CORS: {Origins: []}", func(c Config) any { return c.CORS.Origins }, []string{}},
		{"taints", "Job: {Tolerations: [\"a:NoSchedule\"]}", func(c Config) any { return c.Job.Tolerations }, []string{"a:NoSchedule"}},
		{
			"callers",
			"Access: {TrustedProxies: 3, ForwardedHeader: forwarded}",
			func(c Config) any { return c.Access.TrustedProxies },
			3,
		},
		{"callers left out", "", func(c Config) any { return c.Access }, Access{
			ForwardedHeader: "X-Forwarded-For", Groups: []string{}, Scopes: []string{"openid", "offline_access"}, ClockSkew: time.Minute,
		}},
		{"an issuer", "Access: {Issuer: https://login.example.org/realms/a, Audience: bakta, Required: true, GroupsClaim: groups, " +
			"Groups: [annotators], ClientID: bakta, Scopes: [openid, groups], ClockSkew: 0s, ForwardedHeader: forwarded, TrustedProxies: 3}",
			func(c Config) any { return c.Access }, Access{
				TrustedProxies: 3, ForwardedHeader: "forwarded", Issuer: "https://login.example.org/realms/a", Audience: "bakta", Required: true,
				GroupsClaim: "groups", Groups: []string{"annotators"}, ClientID: "bakta", Scopes: []string{"openid", "groups"},
			}},
		{
			"an issuer on this machine",
			"Access: {Issuer: \"http://[::1]:5556/dex\", Audience: bakta}",
			func(c Config) any { return c.Access.Issuer },
			"http://[::1]:5556/dex",
		},
		{"public endpoint left out", "", func(c Config) any { return c.Objectstorage.S3.Public() }, "http://minio:9000"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			cfg, warnings, err := parse("f.yaml", []byte(complete+row.add), environment(nil), everything)
			if err != nil || len(warnings) > 0 {
				t.Fatal(err, warnings)
			}
			if diff := cmp.Diff(row.want, row.get(cfg)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestNeeds(t *testing.T) {
	none := func(string) string { return "" }
	for _, row := range []struct {
		name  string
		file  string
		env   map[string]string
		needs []Need
		fails string
	}{
		{name: "nothing needed"},
		{name: "database as a whole", env: map[string]string{"MONGODB_URI": "mongodb://u:p@a:1,b:2/bakta?x=y"}, needs: []Need{Mongo}},
		{name: "database as a whole without a name", env: map[string]string{"MONGODB_URI": "mongodb://a:1"}, needs: []Need{Mongo},
			fails: "Database.MongoDBName"},
		{name: "database as a whole, named by its key", file: "Database: {URI: \"mongodb://a\", MongoDBName: x}", needs: []Need{Mongo}},
		{name: "no database URI", env: map[string]string{"MONGODB_URI": "http://hunter2"}, fails: "Database.URI must begin with mongodb://"},
		{name: "database without a user", file: "Database: {MongoHost: a, MongoDBName: x}", needs: []Need{Mongo}},
		{name: "unset", needs: []Need{S3Store}, fails: "UserBucket"},
		{name: "logs of jobs alone", file: "K8sNamespace: x", needs: []Need{KubeLogs}},
		{name: "logs of jobs from nowhere", needs: []Need{KubeLogs}, fails: "K8sNamespace"},
		{name: "a job as root", file: "Job: {User: 0}", fails: "Job.User"},
		{name: "a job without a disk", file: "Job: {Disk: {Limit: 4, Request: 4}}", fails: "Job.Disk.Limit"},
		{name: "a job that is tried for ever", file: "Job: {Retries: 100}", fails: "Job.Retries"},
	} {
		t.Run(row.name, func(t *testing.T) {
			env := none
			if row.env != nil {
				env = func(name string) string { return row.env[name] }
			}
			_, _, err := parse("f.yaml", []byte(row.file), env, row.needs)
			if (err != nil) != (row.fails != "") || err != nil && !strings.Contains(err.Error(), row.fails) {
				t.Errorf("err = %v, want one with %q", err, row.fails)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the message shows the secret: %v", err)
			}
		})
	}
}

func TestEnvironment(t *testing.T) {
	cfg, warnings, err := parse("f.yaml", []byte(complete), environment(map[string]string{
		"PORT": "9999", "MONGODB_URI": "mongodb://u:p%40@h/other", "AWS_SECRET_ACCESS_KEY": "key\n"}), everything)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Listen != ":9999" || cfg.Database.ConnectionString() != "mongodb://u:p%40@h/other" || cfg.Database.Name() != "bakta" {
		t.Errorf("got %q, %q, %q", cfg.Listen, cfg.Database.ConnectionString().Reveal(), cfg.Database.Name())
	}
	if cfg.Objectstorage.S3.SecretKey != "key" {
		t.Errorf("the key is %q", cfg.Objectstorage.S3.SecretKey.Reveal())
	}
	want := []string{"the environment variable AWS_SECRET_ACCESS_KEY ends in a line break, which is ignored"}
	if diff := cmp.Diff(want, shown(warnings)); diff != "" {
		t.Errorf("warnings (-want +got)\n%s", diff)
	}
}

func TestOldJobImage(t *testing.T) {
	for image, serves := range map[string]bool{
		"bakta-web-job":                          false,
		"x/bakta-web-job:v1":                     false,
		"host:5000/x/bakta-web-job:v1@sha256:aa": false,
		"oschwengers/bakta":                      true,
		"biocontainers/bakta:1.12.2--pyhdfd78af": true,
		"x/bakta-web-job/stand-in:1":             true,
	} {
		_, _, err := parse("f.yaml", []byte("JobContainer: "+image), environment(nil), nil)
		if (err == nil) != serves {
			t.Errorf("%s: err = %v", image, err)
		}
	}
}

func TestLoadNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	if _, _, err := Load(path, environment(nil)); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "--configfile") {
		t.Errorf("err = %v", err)
	}
	if err := os.WriteFile(path, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Load(path, environment(nil)); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("err = %v", err)
	}
}

func TestPathFrom(t *testing.T) {
	for _, row := range []struct {
		args  string
		want  string
		fails bool
	}{
		{args: "", want: "./config/config.yaml"},
		{args: "-c a.yaml", want: "a.yaml"},
		{args: "--configfile a.yaml", want: "a.yaml"},
		{args: "--configfile=a.yaml", want: "a.yaml"},
		{args: "-c", fails: true},
		{args: "--other", fails: true},
		{args: "a.yaml", fails: true},
		{args: "-h", fails: true},
	} {
		var out strings.Builder
		got, err := PathFrom("submit", strings.Fields(row.args), &out)
		if got != row.want || (err != nil) != row.fails {
			t.Errorf("%q: %q, %v", row.args, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	older, err := os.ReadFile("testdata/older.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(older), complete, "", "- a", "a: &a [*a]", "a: &a {b: *a}", "<<: {a: b}", "? [a]\n: b",
		"JobCommand: !!binary aGk=", "Job: &j {CPU: *j}", "\xff", "a: b: c", "Listen: 1\nlisten: 2"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		cfg, _, err := parse("f.yaml", content, environment(nil), everything)
		if err == nil {
			if cfg.Retention <= 0 || cfg.Program("baktfold").Threads() < 1 || len(cfg.JobCommand) == 0 || cfg.Objectstorage.S3.UserBucket == "" {
				t.Errorf("taken, but wrong: %+v", cfg)
			}
		} else if e := (*Error)(nil); !errors.As(err, &e) || len(e.Problems) == 0 {
			t.Errorf("no problem is named: %v", err)
		}
	})
}

// Turns and a queue of Kueue exclude each other.
func TestTurnsBesideQueue(t *testing.T) {
	for add, want := range map[string][]string{
		"Limits: {Caller: {Launched: 3}}": nil,
		"Job: {Queue: bakta}":             nil,
		"Limits: {Caller: {Launched: 3}}\nJob: {Queue: bakta}": {"line 8: Limits.Caller.Launched has no effect, because the Kueue queue " +
			"Job.Queue decides when jobs run; remove one of the two"},
	} {
		_, warnings, err := parse("f.yaml", []byte(complete+add), environment(nil), everything)
		if diff := cmp.Diff(want, shown(warnings)); err != nil || diff != "" {
			t.Errorf("%s: %v, warnings (-want +got)\n%s", add, err, diff)
		}
	}
}
