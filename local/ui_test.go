package local

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// A web UI is told the API of the version that it speaks.
func TestUIConfiguration(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ came, path string }{
		"an older UI":           {`{"api":"https://bakta.example.org/api/v1"}`, "/api/v1"},
		"a newer UI":            {`{"api":"https://bakta.example.org/api/v2","umami":{"id":5}}`, "/api/v2"},
		"a slash at the end":    {`{"api":"https://bakta.example.org/api/v2/"}`, "/api/v2"},
		"no configuration":      {"", "/api/v1"},
		"a broken one":          {`{"api":`, "/api/v1"},
		"a version of tomorrow": {`{"api":"https://bakta.example.org/api/v3"}`, "/api/v1"},
	} {
		dir := t.TempDir()
		if tt.came != "" {
			if err := os.Mkdir(filepath.Join(dir, "config"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "config", "config.json"), []byte(tt.came), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		w := httptest.NewRecorder()
		webUI(dir).ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1:8080/config/config.json", nil))
		if want := `{"api":"http://127.0.0.1:8080` + tt.path + "\"}\n"; w.Body.String() != want {
			t.Errorf("%s: %s", name, w.Body)
		}
	}
}
