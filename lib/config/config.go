// Package config is the typed configuration of the functions: a YAML file for what is public and environment
// variables for what is secret. It is the only place that reads either. Keys may be written in any letter
// case and plain values with or without quotes, as existing files do; beyond that it is strict, and tells
// every problem at once.
package config

import (
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/settings"
)

// DefaultPath is where the configuration file is looked for when none is named.
const DefaultPath = "./config/config.yaml"

// Config is the whole configuration. The names of its fields are the keys of the file; config/config.yaml
// documents each of them. A function checks the parts that it needs by naming them to Load.
type Config struct {
	Objectstorage        Objectstorage
	Database             Database
	UpdateService        UpdateService
	Listen               string        // address that a function serves on
	Retention            time.Duration // how long a job is kept
	JobContainer         string        // image that holds Bakta
	JobCommand           []string      // what starts Bakta in that image; its arguments follow
	StagerContainer      string        // image of the program that surrounds Bakta in a job, environment StagerContainer
	InCluster            bool          // reach Kubernetes as a pod does, else by a kubeconfig file
	Testing              bool          // use Bakta's test database: DatabaseDir
	K8sNamespace         string        // where jobs run
	BaktaDatabasePVCName string        // volume claim that holds Bakta's database
	Version              Version
	Job                  Job
	Programs             Programs
	Limits               Limits
	CORS                 CORS
	Access               Access
	Events               Events
	Telemetry            Telemetry
}

// Objectstorage is where files are kept.
type Objectstorage struct {
	S3 S3
}

// S3 says how the object storage is reached, and where things lie in it.
type S3 struct {
	UserBucket     string // bucket of input and output data
	DBBucket       string // bucket that holds Bakta's database: stager db reads it
	BaseKey        string // key prefix of input and output data
	Endpoint       string // URL by which functions and jobs reach it
	PublicEndpoint string // URL by which browsers and scripts reach it; Endpoint when empty
	Region         string // region that links are signed for
	PathStyle      bool   // the bucket stands in the path of a URL, not in its host name
	SecretName     string // Kubernetes Secret that jobs get the keys from: its keys AccessKey and SecretKey
	AccessKey      Secret `yaml:"-"` // environment AWS_ACCESS_KEY_ID
	SecretKey      Secret `yaml:"-"` // environment AWS_SECRET_ACCESS_KEY
}

// Public returns the URL by which browsers and scripts reach the storage.
func (s S3) Public() string {
	if s.PublicEndpoint != "" {
		return s.PublicEndpoint
	}
	return s.Endpoint
}

// Database is where jobs are remembered: a MongoDB, named by its parts or as a whole by URI.
type Database struct {
	URI             Secret // connection string; stands in for the other parts, environment MONGODB_URI
	MongoHost       string
	MongoPort       int
	MongoDBName     string
	MongoUser       string // no authentication when empty
	MongoAuthSource string // database that knows the user
	Password        Secret `yaml:"-"` // environment MongoPassword
}

// ConnectionString returns how MongoDB is reached. It may hold a password.
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
	// A list of hosts is no URL, so this is read by hand. User and password have their slashes escaped.
	_, rest, _ := strings.Cut(d.URI.Reveal(), "://")
	_, name, _ := strings.Cut(rest, "/")
	name, _, _ = strings.Cut(name, "?")
	if plain, err := url.PathUnescape(name); err == nil {
		return plain
	}
	return name
}

// UpdateService is where a job's container says that it has news.
type UpdateService struct {
	Name string // host name of the service
	Port int
}

// Version is what the API tells of the versions in use.
type Version struct {
	Tool       string // of Bakta
	DB         string // of its database
	Baktfold   string // of Baktfold
	BaktfoldDB string // of its database
}

// Job is what Kubernetes is asked for, for each job. A program can have amounts and machines of its own: Programs.
type Job struct {
	CPU            Resource
	Memory         Resource
	Disk           Resource      // local disk: inputs, temporary files and results together
	ResultsLimit   Quantity      // bytes of all results together
	Deadline       time.Duration // a run that takes longer is ended
	PendingTimeout time.Duration // a run that no machine could take for that long is ended
	ImageTimeout   time.Duration // a run whose image could not be had, or whose container not be made, for that long is ended
	TTL            time.Duration // how long the Job of a finished run is kept in Kubernetes
	Retries        int           // how often Kubernetes starts a pod again whose files could not be moved
	Queue          string        // name of a Kueue queue; none when empty
	PriorityClass  string        // priority class of pods; the cluster's default when empty
	NodeSelector   []string      // label=value of machines that may be used; any when empty
	Tolerations    []string      // taints of machines that may be used all the same: key[=value][:effect]
	ServiceAccount string        // service account of pods, which get no token of it; the namespace's default when empty
	PullSecrets    []string      // names of Secrets that images are pulled with
	User           int           // id of the user that everything in a pod runs as
	WritableRoot   bool          // Bakta's image doesn't work with a read-only root file system
}

// Resource is an amount that a job may use at most, and one that it is sure to get.
type Resource struct {
	Limit   Quantity
	Request Quantity
}

// Limits bound what a caller may ask for.
type Limits struct {
	GenomeSize Quantity // bytes of an uploaded genome, as it is uploaded
	ListSize   int      // jobs in one list
	Unstarted  int      // jobs that were created and not started, of all callers together, about
	BodySize   Quantity // bytes of a request's body
}

// Access is about the callers of the API.
type Access struct {
	TrustedProxies  int    // proxies that each request passes and that append to ForwardedHeader; 0: the caller is the connection's peer
	ForwardedHeader string // X-Forwarded-For or Forwarded
	LogCallers      bool   // log the caller's address and subject with each request
}

// Events says whose events are taken.
type Events struct {
	Audience string // what the tokens of their sources are made out to; "" takes events without a token
}

// CORS says which web pages may call the API.
type CORS struct {
	Origins []string // scheme://host[:port] each, or "*" for any
}

// OfficialEntry is what starts Bakta in its official image: the program needs an environment that only this
// entry point sets up.
const OfficialEntry = "/entrypoint.sh"

// Default returns the configuration that an empty file stands for.
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
		Limits: Limits{GenomeSize: mustQuantity("100Mi"), ListSize: s.MaxList, Unstarted: s.MaxUnstarted, BodySize: mustQuantity("1Mi")},
		Programs: Programs{
			Bakta:         Program{Command: []string{}, Resources: []string{}, NodeSelector: []string{}, Tolerations: []string{}},
			BaktaProteins: Program{Command: []string{}, Resources: []string{}, NodeSelector: []string{}, Tolerations: []string{}},
			Baktfold:      Program{Command: []string{}, Resources: []string{}, NodeSelector: []string{}, Tolerations: []string{}},
		},
		CORS:   CORS{Origins: []string{"*"}},
		Access: Access{ForwardedHeader: "X-Forwarded-For"},
		Telemetry: Telemetry{
			Metrics: Metrics{Protocol: ProtocolNone, Interval: 30 * time.Second},
			Tracing: Tracing{Protocol: ProtocolNone, SamplingRate: 0.1},
		},
	}
}

// DatabaseDir returns the directory of Bakta's database below the root of its volume.
func (c Config) DatabaseDir() string {
	if c.Testing {
		return "db-mock"
	}
	return "db"
}
