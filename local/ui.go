package local

import (
	"encoding/json"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// uiConfig is where the web UI looks for the address of its backend.
const uiConfig = "/config/config.json"

// webUI serves a built web UI. Its configuration points at the API of the host that served it, whatever name the
// browser knows that by, in the version that the UI was built for. A path that is no file is one of the UI's own
// pages, which its index shows.
//
// A file whose name ends in .gz is sent as what is compressed in it, as the servers do that the UI is published with:
// its pages read what they get as text. Dot files are not the UI's, nor is what a link leads to outside of its directory.
func webUI(dir string) http.Handler {
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
		root, err := os.OpenRoot(dir) // for each request, so that a UI that was built anew is served
		if err != nil {
			http.Error(w, "the web UI can't be read", http.StatusInternalServerError)
			return
		}
		defer root.Close()
		name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
		if hidden(name) {
			http.NotFound(w, r)
			return
		}
		f, info, err := openFile(root, name)
		if err != nil && !strings.Contains(name[strings.LastIndex(name, "/")+1:], ".") {
			name = "index.html"
			f, info, err = openFile(root, name)
		}
		if err != nil {
			http.NotFound(w, r)
			return
		}
		defer f.Close()
		if inner, ok := strings.CutSuffix(name, ".gz"); ok {
			w.Header().Set("Content-Encoding", "gzip")
			kind := mime.TypeByExtension(path.Ext(inner))
			if kind == "" {
				kind = "application/octet-stream" // not what the compressed bytes look like
			}
			w.Header().Set("Content-Type", kind)
		}
		http.ServeContent(w, r, path.Base(name), info.ModTime(), f)
	})
}

// hidden reports whether a path leads to or through a dot file.
func hidden(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") {
			return true
		}
	}
	return false
}

// openFile opens a regular file of the UI. It is fs.ErrNotExist if there is none.
func openFile(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	info, err := root.Stat(filepath.FromSlash(name)) // a FIFO would keep who opens it waiting
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fs.ErrNotExist
	}
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, nil, err
	}
	return f, info, nil
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
