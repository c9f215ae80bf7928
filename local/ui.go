package local

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// uiConfig is where the web UI looks for the address of its backend.
const uiConfig = "/config/config.json"

// webUI serves a built web UI. Its configuration points at the API of the host that served it, whatever name the
// browser knows that by, in the version that the UI was built for. A path that is no file is one of the UI's own pages, which its index shows.
func webUI(dir string) http.Handler {
	files := http.FileServer(http.Dir(dir))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "there is nothing to send anything to", http.StatusMethodNotAllowed)
			return
		}
		if r.URL.Path == uiConfig {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Cache-Control", "no-store")
			json.NewEncoder(w).Encode(map[string]string{"api": origin(r) + spoken(dir)}) // fails only when the browser is gone
			return
		}
		name := filepath.Join(dir, filepath.FromSlash(filepath.Clean("/"+r.URL.Path)))
		if info, err := os.Stat(name); (err != nil || info.IsDir()) && !strings.Contains(filepath.Base(name), ".") {
			http.ServeFile(w, r, filepath.Join(dir, "index.html"))
			return
		}
		files.ServeHTTP(w, r)
	})
}

// spoken returns the path of the API that a web UI speaks, by the address in the configuration that it came with.
// Older UIs speak the first version alone, newer ones the second alone.
func spoken(dir string) string {
	const first, second = "/api/v1", "/api/v2"
	content, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(uiConfig)))
	if err != nil {
		return first
	}
	var config struct {
		API string `json:"api"`
	}
	if err := json.Unmarshal(content, &config); err == nil && strings.HasSuffix(strings.TrimSuffix(config.API, "/"), second) {
		return second
	}
	return first
}

// origin is the origin under which the browser sees this server.
func origin(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}
