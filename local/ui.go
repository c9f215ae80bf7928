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
// browser knows that by. A path that is no file is one of the UI's own pages, which its index shows.
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
			json.NewEncoder(w).Encode(map[string]string{"api": origin(r) + "/api/v1"}) // fails only when the browser is gone
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

// origin is the origin under which the browser sees this server.
func origin(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}
