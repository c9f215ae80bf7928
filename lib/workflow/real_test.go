package workflow

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// testLayout is a layout below a directory of a test.
type testLayout string

func (l testLayout) Input(name string) string   { return filepath.Join(string(l), "in", name) }
func (l testLayout) Output(stage string) string { return filepath.Join(string(l), "out", stage) }
func (l testLayout) Temp() string               { return filepath.Join(string(l), "tmp") }

// newLayout makes a layout's directories.
func newLayout(t testing.TB) testLayout {
	t.Helper()
	l := testLayout(t.TempDir())
	for _, d := range []string{filepath.Dir(l.Input("x")), l.Output("bakta"), l.Output("bakta_proteins"), l.Temp()} {
		if err := os.MkdirAll(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// put writes an input and returns its path.
func (l testLayout) put(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := l.Input(name)
	if err := os.WriteFile(path, content, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func gzipFile(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

func zstdFile(b []byte, options ...zstd.EOption) []byte {
	w, err := zstd.NewWriter(nil, options...)
	if err != nil {
		panic(err)
	}
	return w.EncodeAll(b, nil)
}

// readTest reads a file of the tests.
func readTest(t testing.TB, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
