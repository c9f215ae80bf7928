package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds the configuration file, in bytes. A ConfigMap holds at most 1 MiB.
const maxFile = 1 << 20

// Warning is a property of the configuration that an operator should check. The function starts all the same.
type Warning struct {
	Line int    // in the file; 0 if the warning is not about a line of it
	Text string // whole sentence, names the key
}

// String returns the warning with its line.
func (w Warning) String() string { return atLine(w.Line, w.Text) }

// Load reads the configuration file and the environment (os.Getenv, or a replacement), and checks the keys that needs
// require. It returns wrong types, unknown keys, bad values and missing values together, in one *Error.
func Load(path string, env func(string) string, needs ...Need) (Config, []Warning, error) {
	content, err := readFile(path)
	if err != nil {
		return Config{}, nil, fmt.Errorf("reading the configuration: %w; use --configfile to name another file", err)
	}
	return parse(path, content, env, needs)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(content) > maxFile {
		err = fmt.Errorf("%s is larger than 1 MiB", path)
	}
	return content, err
}

func parse(path string, content []byte, env func(string) string, needs []Need) (Config, []Warning, error) {
	cfg := Default()
	found := &findings{lines: map[string]int{}, former: map[string]string{}}
	if doc, err := document(content); err != nil {
		found.problem(0, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
	} else {
		decode(doc, &cfg, found)
		readEnv(&cfg, env, found)
		derive(&cfg)
		check(&cfg, needs, found)
		found.asWritten()
	}
	slices.SortStableFunc(found.problems, func(a, b Problem) int { return byLine(a.Line, b.Line) })
	slices.SortStableFunc(found.warnings, func(a, b Warning) int { return byLine(a.Line, b.Line) })
	if len(found.problems) > 0 {
		return Config{}, found.warnings, &Error{Path: path, Problems: found.problems}
	}
	return cfg, found.warnings, nil
}

// document returns the one YAML document of the file; nil when the file is empty.
func document(content []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(strings.NewReader(string(content)))
	var doc, second yaml.Node
	if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		if err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("line %d: a second document begins here; put all keys into one document", second.Line)
	}
	return doc.Content[0], nil
}

func readEnv(cfg *Config, env func(string) string, found *findings) {
	for _, secret := range []struct {
		name string
		to   *Secret
	}{
		{"MONGODB_URI", &cfg.Database.URI},
		{"MongoPassword", &cfg.Database.Password},
		{"MailPassword", &cfg.Notify.Mail.Password},
		{"AWS_ACCESS_KEY_ID", &cfg.Objectstorage.S3.AccessKey},
		{"AWS_SECRET_ACCESS_KEY", &cfg.Objectstorage.S3.SecretKey},
	} {
		value := env(secret.name)
		if value == "" {
			continue
		}
		// A Secret that `kubectl create secret` made from a file often ends in the file's line break.
		if trimmed := strings.TrimRight(value, "\r\n"); trimmed != value {
			found.warn(0, "the environment variable %s ends in a line break, which is ignored", secret.name)
			value = trimmed
		}
		*secret.to = Secret(value)
	}
	// ko replaces the names of images in manifests, but not in a configuration file inside a manifest.
	if image := env("StagerContainer"); image != "" {
		cfg.StagerContainer = image
	}
	// Knative sets PORT to the port that it sends requests to.
	if port := env("PORT"); port != "" {
		cfg.Listen = ":" + port
	}
}

// derive sets the values that depend on other keys.
func derive(cfg *Config) {
	if cfg.JobCommand == nil {
		cfg.JobCommand = []string{"bakta"}
		if repository(cfg.JobContainer) == officialImage {
			cfg.JobCommand = []string{OfficialEntry}
		}
	}
	if m := &cfg.Telemetry.Metrics; m.Protocol == ProtocolPrometheus && m.Endpoint == "" {
		m.Endpoint = DefaultScrape
	}
}
