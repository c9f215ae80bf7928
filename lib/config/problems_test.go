package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestProblems has a row for each kind of problem. It compares the whole message, which is what an operator sees.
func TestProblems(t *testing.T) {
	rows := []struct{ name, add, want string }{
		{"unknown key", "Foo: 1", "line 8: Foo is not a known key; the file has Objectstorage, Database, UpdateService, Listen, Retention, " +
			"JobContainer, JobCommand, StagerContainer, InCluster, Testing, K8sNamespace, BaktaDatabasePVCName, Version, Job, Programs, Limits, " +
			"CORS, Access, Events, Notify, Telemetry"},
		{
			"unknown key in a section",
			"Version: {Tool: 1, Database: 2}",
			"line 8: Version.Database is not a known key; Version has Tool, DB, Baktfold, BaktfoldDB",
		},
		{
			"key with dots",
			"Version.Tool: 1",
			"line 8: Version.Tool is not a known key; write the keys of a section on lines of their own below it, " +
				"indented, without dots",
		},
		{"key that is a list", "? [a]\n: 1", "line 8: a key is not a plain word; write lines of the form Key: value"},
		{"merge key", "Version: {<<: {Tool: 1}}", "line 8: Version.<< is not a known key; Version has Tool, DB, Baktfold, BaktfoldDB"},
		{"key twice", "k8sNamespace: other",
			"line 8: k8sNamespace is set twice, first in line 6, maybe under its former name or in another letter case"},
		{"secret in the file", "Version: {Tool: 1, MongoPassword: hunter2}",
			"line 8: Version.MongoPassword is a secret and must not be in the file; set the environment variable MongoPassword instead"},
		{"bool", "Testing: maybe", `line 8: Testing is "maybe"; write true or false`},
		{"number", "Limits: {ListSize: many}", `line 8: Limits.ListSize is "many"; write a whole number`},
		{"fraction", "Limits: {ListSize: 1.5}", `line 8: Limits.ListSize is "1.5"; write a whole number`},
		{"number out of bounds", "Limits: {ListSize: 0}", "line 8: Limits.ListSize is 0; it must be at least 1"},
		{"value for a section", "Job: 4", "line 8: Job is a section; write its keys on lines of their own below it, indented"},
		{"section for a value", "Listen: {Port: 1}", "line 8: Listen must be a single value"},
		{"list for a value", "Listen: [a]", "line 8: Listen must be a single value"},
		{
			"old image for proteins",
			"Programs: {BaktaProteins: {Image: bakta-web-job}}",
			`line 8: Programs.BaktaProteins.Image is "bakta-web-job", the job image of the older backend, ` +
				"which does not accept Bakta's arguments; " +
				"use oschwengers/bakta, Bakta's own image, or the BioContainers image biocontainers/bakta with JobCommand: [bakta]",
		},
		{
			"image that starts only bakta",
			"Programs: {BaktaProteins: {Image: oschwengers/bakta}}",
			`line 8: Programs.BaktaProteins.Image is "oschwengers/bakta", whose entry point starts only bakta, ` +
				"and bakta_proteins is not found without that entry point; " +
				"set Programs.BaktaProteins.Command, or use the BioContainers image biocontainers/bakta",
		},
		{
			"Baktfold without its database",
			"Programs: {Baktfold: {Image: x}}",
			"Programs.Baktfold.Database is missing: the PersistentVolumeClaim of Baktfold's reference database",
		},
		{
			"a database without a valid claim",
			"Programs: {Baktfold: {Image: x, Database: /db}}",
			`line 8: Programs.Baktfold.Database is "/db"; ` +
				"write the name of a PersistentVolumeClaim (lower-case letters, digits, - and .), optionally with /directory",
		},
		{
			"a database outside of its claim",
			"Programs: {Bakta: {Database: db/../x}}",
			`line 8: Programs.Bakta.Database is "db/../x"; the directory must be inside the volume`,
		},
		{
			"a program's request above its limit",
			"Programs: {Baktfold: {CPU: {Limit: 2, Request: 3}}}",
			`line 8: Programs.Baktfold.CPU.Request is "3", more than the limit, which is "2"`,
		},
		{
			"a program's memory without a unit",
			"Programs: {Baktfold: {Memory: {Limit: 64, Request: 0}}}",
			`line 8: Programs.Baktfold.Memory.Limit is "64", which is less than 1 MiB; add Mi or Gi to the number`,
		},
		{
			"a resource without an amount",
			"Programs: {Baktfold: {Resources: [nvidia.com/gpu]}}",
			`line 8: Programs.Baktfold.Resources contains "nvidia.com/gpu"; write domain/name=amount with a whole number, such as nvidia.com/gpu=1`,
		},
		{
			"a resource of half",
			"Programs: {Baktfold: {Resources: [nvidia.com/gpu=0.5]}}",
			`line 8: Programs.Baktfold.Resources contains "nvidia.com/gpu=0.5"; write domain/name=amount with a whole number, such as ` +
				`nvidia.com/gpu=1`,
		},
		{
			"a resource without a domain",
			"Programs: {Baktfold: {Resources: [gpu=1]}}",
			`line 8: Programs.Baktfold.Resources contains "gpu=1"; write domain/name=amount with a whole number, such as nvidia.com/gpu=1`,
		},
		{
			"a function that is not a URL",
			"Notify: {Function: notify.bakta}",
			`line 8: Notify.Function is "notify.bakta"; write a URL such as http://notify.bakta.svc.cluster.local/deliveries`,
		},
		{
			"a Broker alone",
			"Notify: {Broker: http://broker}",
			"line 8: Notify.Broker is set without Notify.Function, so nothing is sent to it",
		},
		{
			"a source that is not a URI",
			"Notify: {Source: our server}",
			"line 8: Notify.Source is not a URI; write the URL of this deployment, such as https://bakta.example.org",
		},
		{
			"a network that is none",
			"Notify: {AllowNetworks: [10.0.0.0/33]}",
			`line 8: Notify.AllowNetworks contains a wrong entry: "10.0.0.0/33" is not a network; ` +
				"write an address or a prefix such as 10.0.0.0/8 or fd00::/8",
		},
		{
			"a mail server without the function",
			"Notify: {Mail: {Server: smtp://mail.example.org, From: bakta@example.org}}",
			"line 8: Notify.Mail.Server is set without Notify.Function, so no mail is sent; name the function, or remove the key",
		},
		{
			"a sender without a mail server",
			"Notify: {Function: http://notify, Mail: {From: bakta@example.org}}",
			"line 8: Notify.Mail.From has no effect without Notify.Mail.Server; name the mail server, or remove the key",
		},
		{
			"a mail server without a sender",
			"Notify: {Function: http://notify, Mail: {Server: smtp://mail.example.org}}",
			`line 8: Notify.Mail.Server or Notify.Mail.From is not valid: the sender "" is not a mail address; ` +
				"write one such as Bakta <bakta@example.org>",
		},
		{
			"a program that there is not",
			"Programs: {Prokka: {Image: x}}",
			"line 8: Programs.Prokka is not a known key; Programs has Bakta, BaktaProteins, Baktfold",
		},
		{"value for a list", "JobCommand: bakta", "line 8: JobCommand is a list; write [one, two]"},
		{"list in a list", "JobCommand: [[bakta]]", "line 8: JobCommand contains an item that is not a single value"},
		{"empty list", "JobCommand: []", "line 8: JobCommand is empty; write the command that starts Bakta in the image, or omit the key"},
		{"control character", `JobCommand: ["a\nb"]`, "line 8: JobCommand contains a control character"},
		{
			"listen",
			"Listen: nowhere",
			`line 8: Listen is "nowhere"; write an address with a port, such as :8080. The environment variable PORT overrides it`,
		},
		{"time", "Retention: 3 weeks", `line 8: Retention is "3 weeks", which is not a duration; ` +
			"write whole seconds (2592000), hours or minutes (720h, 90m) or days (30d)"},
		{"a former name and the new one", "Retention: 30d\nExpiryTime: 30d",
			"line 9: ExpiryTime is set twice, first in line 8, maybe under its former name or in another letter case"},
		{"a former name's value", "Job: {KeepFinished: soon}", `line 8: Job.KeepFinished (now Job.TTL) is "soon", which is not a duration; ` +
			"write whole seconds (2592000), hours or minutes (720h, 90m) or days (30d)"},
		{"negative time", "Retention: -1", "line 8: Retention must be positive, for example 30d"},
		{"no time", "Job: {Deadline: 0}", "line 8: Job.Deadline is 0s; it must be at least a second"},
		{"quantity", "Job: {CPU: {Limit: four}}", `line 8: Job.CPU.Limit is "four", which is not a quantity; ` +
			"write a number, with a suffix if needed: 4, 500m, 4000Mi, 4Gi"},
		{"request over limit", "Job: {CPU: {Limit: 2}}", `Job.CPU.Request is "4", more than the limit, which is "2"`},
		{
			"thousandths of bytes",
			"Job: {Memory: {Request: 4000m}}",
			`line 8: Job.Memory.Request is "4000m", which is less than 1 MiB; add Mi or Gi to the number`,
		},
		{"origin with a path", `CORS: {Origins: ["https://a.example/x"]}`,
			`line 8: CORS.Origins contains "https://a.example/x"; write an origin such as https://bakta.example.org, or * for any origin`},
		{"too many jobs of a caller", "Limits: {Caller: {Active: 1001}}",
			"line 8: Limits.Caller.Active is 1001; it must be 0 (no limit) to 1000"},
		{"less than no call", "Limits: {Caller: {CallsPerMinute: -1}}",
			"line 8: Limits.Caller.CallsPerMinute is -1; it must be 0 (no limit) to 1000000000"},
		{"thousandths of uploaded bytes", "Limits: {Caller: {UploadBytes: 4000m}}",
			`line 8: Limits.Caller.UploadBytes is "4000m", which is less than 1 MiB; add Mi or Gi to the number`},
		{"fewer uploaded bytes than one job has", "Limits: {Caller: {UploadBytes: 10Mi}, GenomeSize: 1Mi}",
			`line 8: Limits.Caller.UploadBytes is "10Mi", less than the uploads of one job may have, which is 536870912 bytes; raise it`},
		{"a network that is too large", "Limits: {Caller: {IPv4Prefix: 0}}", "line 8: Limits.Caller.IPv4Prefix is 0; it must be 8 to 32"},
		{"an IPv6 network that is too large", "Limits: {Caller: {IPv6Prefix: 0}}", "line 8: Limits.Caller.IPv6Prefix is 0; it must be 16 to 128"},
		{
			"a turn for more jobs than there can be",
			"Limits: {Caller: {Active: 2, Launched: 3}}",
			"line 8: Limits.Caller.Launched is 3, more than " +
				"Limits.Caller.Active, which is 2; lower it, or no job ever waits for its turn",
		},
		{"too many proxies", "Access: {TrustedProxies: 11}", "line 8: Access.TrustedProxies is 11; it must be 0 to 10"},
		{"fewer proxies than none", "Access: {TrustedProxies: -1}", "line 8: Access.TrustedProxies is -1; it must be 0 to 10"},
		{
			"another header",
			"Access: {ForwardedHeader: X-Real-IP}",
			`line 8: Access.ForwardedHeader is "X-Real-IP"; write X-Forwarded-For or Forwarded`,
		},
		{
			"tokens without an audience",
			"Access: {Issuer: https://login.example.org}",
			"Access.Audience is missing: the audience that tokens for this " +
				"server have; often it is the client ID",
		},
		{"tokens over the network in clear text", "Access: {Issuer: http://login.example.org, Audience: a}",
			`line 8: Access.Issuer is "http://login.example.org"; write the issuer's URL as its tokens name it, such as ` +
				`https://login.example.org: ` +
				"with https (http only for a loopback address), without a user, a query and a fragment"},
		{"tokens are required of no issuer", "Access: {Required: true}",
			"line 8: Access.Required has no effect without Access.Issuer; name the issuer, or remove the key"},
		{"groups of no claim", "Access: {Issuer: https://l.example, Audience: a, Groups: [b]}", "Access.GroupsClaim is missing: the claim of a " +
			"token with the groups of its subject, such as groups; Access.Groups needs it"},
		{"a claim of no groups", "Access: {Issuer: https://l.example, Audience: a, GroupsClaim: b}", "Access.Groups is missing: the groups " +
			"of which a caller must have one; without them leave Access.GroupsClaim empty"},
		{"an empty group", "Access: {Issuer: https://l.example, Audience: a, GroupsClaim: b, Groups: [\"\"]}",
			"line 8: Access.Groups contains an empty name"},
		{"clocks far apart", "Access: {ClockSkew: 1h}", "line 8: Access.ClockSkew is 1h0m0s; it must be 0s to 10m0s"},
		{"a login without an identity", "Access: {Issuer: https://l.example, Audience: a, ClientID: b, Scopes: [groups]}",
			"line 8: Access.Scopes must contain openid; add offline_access, so that a login lasts longer than one token"},
		{"second document", "---\na: 1", "line 8: a second document begins here; put all keys into one document"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			_, _, err := parse("f.yaml", []byte(complete+row.add), environment(nil), everything)
			if err == nil {
				t.Fatal("the file was accepted")
			}
			if diff := cmp.Diff("the configuration f.yaml has a problem:\n  "+row.want, err.Error()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	file := `
Objectstorage: {S3: {UserBucket: {a: 1}, Bukket: x}}
Database: {MongoUser: me, URI: }
Retention: soon
InCluster: 7
JobContainer: registry.example.org/x/bakta-web-job:v3@sha256:abc
`
	_, _, err := parse("f.yaml", []byte(file), func(string) string { return "" }, everything)
	// A problem that takes two lines here is one line of the message.
	want := strings.ReplaceAll(`the configuration f.yaml has 16 problems:
  line 2: Objectstorage.S3.UserBucket must be a single value
  line 2: Objectstorage.S3.Bukket is not a known key; Objectstorage.S3 has UserBucket, DBBucket, BaseKey, Endpoint,
    PublicEndpoint, Region, PathStyle, SecretName
  line 4: Retention is "soon", which is not a duration; write whole seconds (2592000), hours or minutes (720h, 90m) or days (30d)
  line 5: InCluster is "7"; write true or false
  line 6: JobContainer is "registry.example.org/x/bakta-web-job:v3@sha256:abc", the job image of the older backend,
    which does not accept Bakta's arguments; use oschwengers/bakta, Bakta's own image,
    or the BioContainers image biocontainers/bakta with JobCommand: [bakta]
  Database.MongoDBName is missing: the name of the database
  Database.MongoHost is missing: the host of MongoDB; or set the environment variable MONGODB_URI to the full connection string
  the environment variable MongoPassword is missing: the password of Database.MongoUser
  Objectstorage.S3.Endpoint is missing: the URL of the S3 store, such as http://minio:9000
  the environment variable AWS_ACCESS_KEY_ID is missing: the access key ID for the S3 store
  the environment variable AWS_SECRET_ACCESS_KEY is missing: the secret access key for the S3 store
  K8sNamespace is missing: the namespace that jobs run in
  BaktaDatabasePVCName is missing: the PersistentVolumeClaim of Bakta's reference database
  StagerContainer is missing: the image of the stager; or set the environment variable of that name
  UpdateService.Name is missing: the Service that jobs report their progress to
  UpdateService.Port is missing: the port of that Service`, "\n    ", " ")
	if err == nil {
		t.Fatal("the file was accepted")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
