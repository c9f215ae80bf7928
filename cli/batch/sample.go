package batch

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/ag-computational-bio/bakta-web-backend/client"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// Sample is one of many things to annotate, checked as far as its options go.
type Sample struct {
	Name     string // of its job and of its result files
	Folder   string // of its results, below the output folder
	Place    string // where it is named: "row 3 of samples.tsv"; empty: on the command line
	Workflow workflow.Workflow
	Config   option.Config // normalised and valid
	Request  client.Config // the same in the API's terms
	Files    []File        // the file to annotate is the last one: the others are compared with it
}

// File is a file to upload.
type File struct{ Kind, Path string }

// Input returns the path of the file to annotate.
func (s *Sample) Input() string { return s.Files[len(s.Files)-1].Path }

// digests computes the SHA-256 of files, of each once: rows of a sheet share their trusted proteins. At most two are read at a time.
type digests struct {
	mu    sync.Mutex
	known map[string]*digest
	turns chan struct{}
}

type digest struct {
	once sync.Once
	text string
	err  error
}

func newDigests() *digests {
	return &digests{known: make(map[string]*digest), turns: make(chan struct{}, 2)}
}

func (d *digests) of(path string) (string, error) {
	d.mu.Lock()
	one := d.known[path]
	if one == nil {
		one = &digest{}
		d.known[path] = one
	}
	d.mu.Unlock()
	one.once.Do(func() {
		d.turns <- struct{}{}
		defer func() { <-d.turns }()
		one.text, one.err = digestOf(path)
	})
	return one.text, one.err
}

func digestOf(path string) (string, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return "", nil // the check of the file reports it; reading a pipe would not end
	}
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// key returns what stands for a sample: for its name, the content of its files, its workflow with all options, and the server. Paths and
// times of files do not count. It also returns the digests of the files, in their order.
func (s *Sample) key(server string, d *digests) (key string, sums []string, err error) {
	for _, f := range s.Files {
		sum, err := d.of(f.Path)
		if err != nil {
			return "", nil, err
		}
		sums = append(sums, sum)
	}
	config, err := option.Encode(s.Config)
	if err != nil {
		return "", nil, err
	}
	parts := []any{server, s.Name, s.Workflow.Kind, string(config)}
	for i, f := range s.Files {
		parts = append(parts, f.Kind, sums[i])
	}
	text, err := json.Marshal(parts)
	if err != nil {
		return "", nil, fmt.Errorf("naming the job: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16]), sums, nil
}
