package stage

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// memory is a storage that has room for some keys. A real one would have to be filled, and waits by the real clock.
type memory struct {
	Files
	room func(key string) bool

	mu     sync.Mutex
	stored map[string]string
}

func (m *memory) Put(_ context.Context, key string, content io.Reader, size int64) (job.File, error) {
	b, err := io.ReadAll(content)
	if err != nil {
		return job.File{}, err
	}
	if !m.room(key) {
		return job.File{}, job.Errorf(job.Exhausted, "full")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stored[key] = string(b)
	return job.File{Key: key, Size: size, ETag: "e"}, nil
}

func TestOutToAFullStorage(t *testing.T) {
	const good, bad = "echo 1 > ../out/bakta/result.gff3; echo 1 > ../out/bakta/result.json", "echo ERROR: wrong file >&2; exit 1"
	for _, tt := range []struct {
		name    string
		script  string
		room    func(key string, waited time.Duration) bool
		outcome Outcome // empty: there is no manifest
		reason  string
		files   int
		within  time.Duration
	}{
		{"there is room again", good, func(_ string, waited time.Duration) bool { return waited > fullTimeout/2 }, Succeeded, "<nil>", 1,
			fullTimeout},
		{"no room for a result", good, func(key string, _ time.Duration) bool { return !strings.HasSuffix(key, "gff3") }, Failed, StorageFull, 0,
			2 * fullTimeout},
		{"no room for the log of a failure", bad, func(key string, _ time.Duration) bool { return !strings.HasSuffix(key, "log") }, Failed,
			"wrong file", 0, 2 * fullTimeout},
		{"no room at all", good, func(string, time.Duration) bool { return false }, "", "", 0, 3 * fullTimeout},
	} {
		s := newSpec(t, shell(tt.script))
		if _, err := In(t.Context(), &memory{}, s); err != nil {
			t.Fatal(err)
		}
		if _, err := Run(t.Context(), s.Stages[0], s.Dir, Options{Environ: Environment(os.Environ())}); err != nil {
			t.Fatal(err)
		}
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			files := &memory{stored: make(map[string]string), room: func(key string) bool { return tt.room(key, time.Since(began)) }}
			m, err := Out(t.Context(), files, s)
			if took := time.Since(began); took > tt.within {
				t.Errorf("%s: it took %s, want at most %s", tt.name, took, tt.within)
			}
			if tt.outcome == "" {
				if !job.Is(err, job.Exhausted) {
					t.Errorf("%s: %+v, %v, want exhausted", tt.name, m, err)
				}
				return
			}
			if err != nil || m.Outcome != tt.outcome || len(m.Files) != tt.files || !strings.Contains(fmt.Sprint(reason(m.Failure)), tt.reason) {
				t.Errorf("%s: %+v, failure %v, %v", tt.name, m, reason(m.Failure), err)
			}
			for _, f := range append(m.Files, m.Logs...) {
				if _, ok := files.stored[f.Key]; !ok || f.Name == "" {
					t.Errorf("%s: the manifest names %+v, which is not there", tt.name, f)
				}
			}
			if written, err := ReadManifest([]byte(files.stored[job.ManifestKey(s.Job, s.Run)])); err != nil || written.Outcome != tt.outcome {
				t.Errorf("%s: the manifest says %+v, %v", tt.name, written, err)
			}
		})
	}
}
