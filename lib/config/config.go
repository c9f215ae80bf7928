// Package config is the typed configuration of the functions: a YAML file, and environment variables for secrets.
// It is the only package that reads either. Keys are not case-sensitive and values may be quoted or not, because
// existing files have both forms. Everything else is checked strictly, and all problems are reported together.
package config

import (
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/notify"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program"
	"github.com/ag-computational-bio/bakta-web-backend/lib/settings"
)

// DefaultPath is the configuration file that is read if no other is named.
const DefaultPath = "./config/config.yaml"

// Config is the configuration. The names of its fields are the keys of the file; config/config.yaml documents each of
// them. A function names the services that it uses to Load, which then requires their keys.
type Config struct {
	Objectstorage        Objectstorage
	Database             Database
	UpdateService        UpdateService
	Listen               string        // address that a function serves on
	Retention            time.Duration // how long a job is kept
	JobContainer         string        // image that contains Bakta
	JobCommand           []string      // command that starts Bakta in that image; Bakta's arguments are appended
	StagerContainer      string        // image of the stager, which moves the files of a job; environment StagerContainer
	InCluster            bool          // use the pod's service account for Kubernetes, else a kubeconfig file
	Testing              bool          // use Bakta's test database: DatabaseDir
	K8sNamespace         string        // namespace that jobs run in
	BaktaDatabasePVCName string        // PersistentVolumeClaim of Bakta's reference database
	Version              Version
	Job                  Job
	Programs             Programs
	Limits               Limits
	CORS                 CORS
	Access               Access
	Events               Events
	Notify               Notify
	Telemetry            Telemetry
}

// Objectstorage is the store of files.
type Objectstorage struct {
	S3 S3
}

// S3 is how to connect to the S3 store, and the buckets and keys to use in it.
type S3 struct {
	UserBucket     string // bucket of input and output data
	DBBucket       string // bucket of Bakta's reference database, which "stager db" reads
	BaseKey        string // key prefix of input and output data
	Endpoint       string // URL for functions and jobs
	PublicEndpoint string // URL for browsers and scripts; Endpoint if empty
	Region         string // region that links are signed for
	PathStyle      bool   // the bucket is in the path of a URL, not in its host name
	SecretName     string // Kubernetes Secret with the keys for jobs, as AccessKey and SecretKey
	AccessKey      Secret `yaml:"-"` // environment AWS_ACCESS_KEY_ID
	SecretKey      Secret `yaml:"-"` // environment AWS_SECRET_ACCESS_KEY
}

// Public returns the URL of the S3 store for browsers and scripts.
func (s S3) Public() string {
	if s.PublicEndpoint != "" {
		return s.PublicEndpoint
	}
	return s.Endpoint
}

// LinkOrigins returns the origins that links to the S3 store may have, in the form of a Content-Security-Policy: that of the URL for
// browsers, and, unless the bucket is in the path, those of the names below it. For AWS the S3 client chooses the host by the region.
// It returns nothing if no URL is configured.
func (s S3) LinkOrigins() []string {
	u, err := url.Parse(strings.TrimSuffix(s.Public(), "/"))
	if err != nil || u.Host == "" {
		return nil
	}
	for _, domain := range []string{"amazonaws.com", "amazonaws.com.cn"} {
		if strings.HasSuffix(u.Hostname(), "."+domain) {
			return []string{u.Scheme + "://*." + domain}
		}
	}
	origins := []string{u.Scheme + "://" + u.Host}
	if _, err := netip.ParseAddr(u.Hostname()); s.PathStyle || err == nil {
		return origins
	}
	return append(origins, u.Scheme+"://*."+u.Host)
}

// Database is the store of jobs: MongoDB, configured by URI or by the other fields.
type Database struct {
	URI             Secret // connection string, which replaces the other fields; environment MONGODB_URI
	MongoHost       string
	MongoPort       int
	MongoDBName     string
	MongoUser       string // no authentication if empty
	MongoAuthSource string // authentication database of the user
	Password        Secret `yaml:"-"` // environment MongoPassword
}

// ConnectionString returns the connection string of MongoDB. It may contain a password.
func (d Database) ConnectionString() Secret {
	if d.URI != "" {
		return d.URI
	}
	u := url.URL{Scheme: "mongodb", Host: net.JoinHostPort(d.MongoHost, strconv.Itoa(d.MongoPort)), Path: "/"}
	if d.MongoUser != "" {
		u.User = url.UserPassword(d.MongoUser, d.Password.Reveal())
		if d.MongoAuthSource != "" {
			u.RawQuery = url.Values{"authSource": {d.MongoAuthSource}}.Encode()
		}
	}
	return Secret(u.String())
}

// Name returns the name of the database: MongoDBName, else the one that URI names, else "".
func (d Database) Name() string {
	if d.MongoDBName != "" {
		return d.MongoDBName
	}
	// net/url does not parse a list of hosts. A user and a password have their slashes escaped.
	_, rest, _ := strings.Cut(d.URI.Reveal(), "://")
	_, name, _ := strings.Cut(rest, "/")
	name, _, _ = strings.Cut(name, "?")
	if plain, err := url.PathUnescape(name); err == nil {
		return plain
	}
	return name
}

// UpdateService is the Service that the stager in a job reports to.
type UpdateService struct {
	Name string // host name of the Service
	Port int
}

// Version contains the versions that the API returns.
type Version struct {
	Tool       string // of Bakta
	DB         string // of Bakta's reference database
	Baktfold   string // of Baktfold
	BaktfoldDB string // of Baktfold's reference database
}

// Of returns the versions of a program and of its database, as far as they are configured.
func (v Version) Of(p program.Program) (version, database string) {
	fields := reflect.ValueOf(v)
	text := func(key string) string {
		field := fields.FieldByName(key)
		if !field.IsValid() {
			return ""
		}
		return field.String()
	}
	return text(p.VersionKey), text(p.DatabaseVersionKey)
}

// Job is what each Kubernetes Job requests. A program can have its own resources and nodes: see Programs.
type Job struct {
	CPU            Resource
	Memory         Resource
	Disk           Resource      // local disk: inputs, temporary files and results together
	ResultsLimit   Quantity      // bytes of all results together
	Deadline       time.Duration // a stage that takes longer is stopped, and its job fails
	PendingTimeout time.Duration // a run that could not be scheduled on a node for this time is ended
	ImageTimeout   time.Duration // a run whose image could not be pulled, or whose container not be created, for this time is ended
	TTL            time.Duration // how long the Kubernetes Job of a finished run is kept
	Retries        int           // how often Kubernetes starts another pod after the files of a job could not be moved
	Queue          string        // name of a Kueue queue; none if empty
	PriorityClass  string        // priority class of pods; the cluster's default if empty
	NodeSelector   []string      // label=value that nodes must have; any node if empty
	Tolerations    []string      // taints of nodes that pods tolerate: key[=value][:effect]
	ServiceAccount string        // service account of pods, whose token is not mounted; the namespace's default if empty
	PullSecrets    []string      // names of the Secrets for pulling images
	User           int           // user ID of all containers of a pod
	WritableRoot   bool          // Bakta's image doesn't work with a read-only root file system
}

// Resource is the maximum amount that a job may use, and the amount that is guaranteed to it.
type Resource struct {
	Limit   Quantity
	Request Quantity
}

// Limits are the bounds of what callers may send and create.
type Limits struct {
	GenomeSize Quantity // bytes of an uploaded genome, as uploaded
	ListSize   int      // jobs in one list
	Unstarted  int      // created and not started jobs of all callers together, approximately
	BodySize   Quantity // bytes of a request's body
	Caller     Caller
}

// Caller are the limits of each caller. A limit of 0 is off.
type Caller struct {
	Unstarted      int      // created and not started jobs
	UploadBytes    Quantity // bytes that the upload links of these jobs allow
	StartsPerHour  int      // started jobs
	StartsPerDay   int      // started jobs
	Active         int      // jobs that wait or run; a start above it is refused
	Launched       int      // runs that are launched at once; a job above it waits for its turn
	CallsPerMinute int      // calls of any method
	IPv4Prefix     int      // bits of an IPv4 address that name the network of a caller
	IPv6Prefix     int      // bits of an IPv6 address that name the network of a caller
}

// Access is how the callers of the API are identified.
type Access struct {
	TrustedProxies  int    // proxies that each request passes and that append to ForwardedHeader; 0: the peer is the caller
	ForwardedHeader string // X-Forwarded-For or Forwarded
	LogCallers      bool   // log the caller's address and subject with each request

	Issuer      string        // URL of the OpenID Connect issuer whose tokens identify callers; "" accepts no tokens
	Audience    string        // required audience of a caller's token
	Required    bool          // each call needs a token, and a job is used by its owner alone
	GroupsClaim string        // claim of a token with the groups of its subject
	Groups      []string      // groups of which a caller must have one; empty: any caller
	ClientID    string        // public client by which the command line logs in; "": it can't
	Scopes      []string      // that the command line asks for at a login
	ClockSkew   time.Duration // how much the clocks of the issuer and of this server may differ
}

// Events is how the sources of events authenticate.
type Events struct {
	Audience string // required audience of an event source's token; "" accepts events without a token
}

// CORS lists the web pages that may call the API.
type CORS struct {
	Origins []string // scheme://host[:port] each, or "*" for any
}

// OfficialEntry starts Bakta in its official image: only this entry point sets up the environment that Bakta needs.
const OfficialEntry = "/entrypoint.sh"

// Default returns the configuration of an empty file.
func Default() Config {
	s := settings.Default()
	return Config{
		Listen:        ":8080",
		Retention:     s.Retention,
		InCluster:     true,
		Objectstorage: Objectstorage{S3: S3{Region: "us-east-1", PathStyle: true, SecretName: "s3"}},
		Database:      Database{MongoPort: 27017, MongoAuthSource: "admin"},
		Job: Job{
			CPU:            Resource{Limit: mustQuantity("4"), Request: mustQuantity("4")},
			Memory:         Resource{Limit: mustQuantity("4000Mi"), Request: mustQuantity("4000Mi")},
			Disk:           Resource{Limit: mustQuantity("20Gi"), Request: mustQuantity("1Gi")},
			ResultsLimit:   mustQuantity("10Gi"),
			Deadline:       24 * time.Hour,
			PendingTimeout: s.PendingTimeout,
			ImageTimeout:   s.ImageTimeout,
			TTL:            6 * time.Hour,
			Retries:        2,
			NodeSelector:   []string{},
			Tolerations:    []string{},
			PullSecrets:    []string{},
			User:           65532,
		},
		Limits: Limits{
			GenomeSize: mustQuantity("100Mi"), ListSize: s.MaxList, Unstarted: s.MaxUnstarted, BodySize: mustQuantity("1Mi"),
			Caller: Caller{UploadBytes: mustQuantity("0"), IPv4Prefix: s.Caller.IPv4Prefix, IPv6Prefix: s.Caller.IPv6Prefix},
		},
		Programs: Programs{
			Bakta:         Program{Command: []string{}, Resources: []string{}, NodeSelector: []string{}, Tolerations: []string{}},
			BaktaProteins: Program{Command: []string{}, Resources: []string{}, NodeSelector: []string{}, Tolerations: []string{}},
			Baktfold:      Program{Command: []string{}, Resources: []string{}, NodeSelector: []string{}, Tolerations: []string{}},
		},
		CORS: CORS{Origins: []string{"*"}},
		Access: Access{
			ForwardedHeader: "X-Forwarded-For", Groups: []string{}, Scopes: []string{"openid", "offline_access"}, ClockSkew: time.Minute,
		},
		Notify: Notify{
			Webhooks: true, Expiring: s.ExpiryNotice, AllowNetworks: []string{}, ForbidNetworks: []string{}, Source: notify.DefaultSource,
		},
		Telemetry: Telemetry{
			Metrics: Metrics{Protocol: ProtocolNone, Interval: 30 * time.Second},
			Tracing: Tracing{Protocol: ProtocolNone, SamplingRate: 0.1},
		},
	}
}

// DatabaseDir returns the directory of Bakta's reference database below the root of its volume.
func (c Config) DatabaseDir() string {
	if c.Testing {
		return "db-mock"
	}
	return "db"
}
