package local

import (
	"context"
	"encoding/json"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
	"github.com/ag-computational-bio/bakta-web-backend/web"
)

// page returns the handler of /: the page of this project, or the web UI that the options name.
func (o Options) page(ctx context.Context, files *s3.Store, elsewhere http.Handler) (http.Handler, error) {
	if o.UI != "" {
		return webUI(o.UI), nil
	}
	storage, err := files.LinkOrigin(ctx)
	if err != nil {
		return nil, err
	}
	return web.Handler(web.Options{Storage: []string{storage}, Elsewhere: elsewhere}), nil
}

// uiConfig is the path of the file from which the web UI reads the address of its backend.
const uiConfig = "/config/config.json"

// webUI serves a built web UI. The UI's configuration gets the API of this server under the name that the browser uses, in
// the version that the UI was built for. A path without a file is a page of the UI, which index.html shows.
//
// A file whose name ends in .gz is sent with "Content-Encoding: gzip", as the servers do that the UI is published with: its
// pages read the content as text. Dot files, and links that lead out of the directory, are not served.
func webUI(dir string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "the web UI accepts only GET and HEAD", http.StatusMethodNotAllowed)
			return
		}
		if r.URL.Path == uiConfig {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Cache-Control", "no-store")
			json.NewEncoder(w).Encode(map[string]string{"api": origin(r) + apiPath(dir)}) // fails only if the browser has disconnected
			return
		}
		root, err := os.OpenRoot(dir) // for each request, so that a new build of the UI is served
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
				kind = "application/octet-stream" // otherwise ServeContent detects the type of the compressed bytes
			}
			w.Header().Set("Content-Type", kind)
		}
		http.ServeContent(w, r, path.Base(name), info.ModTime(), f)
	})
}

// hidden reports whether a path has a component that begins with a dot.
func hidden(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") {
			return true
		}
	}
	return false
}

// openFile opens a regular file of the UI. It returns fs.ErrNotExist for other files.
func openFile(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	info, err := root.Stat(filepath.FromSlash(name)) // before Open, which waits on a FIFO
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

// apiPath returns the path of the API version that a web UI uses, according to the configuration in its directory. Older
// UIs use only the first version, newer ones only the second.
func apiPath(dir string) string {
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

// origin returns the origin under which the browser knows this server.
func origin(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}
