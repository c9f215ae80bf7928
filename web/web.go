// Package web has the built web page, and serves it. Only programs that serve the page import it, because the page is in it.
//
// The sources are in src, and `make web` builds them into dist, which is committed like other generated code: so a Go build needs no
// Node.js. The page compiles nothing and asks no other host: all that it needs is here and in the API of the same origin.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

//go:embed all:dist all:inspect/built
var built embed.FS

// Options configure the page.
type Options struct {
	// Storage are the origins of the links to the object storage, as browsers know them, in the form of a Content-Security-Policy:
	// https://s3.example.org, https://*.s3.example.org. The page may connect to them, and to nothing else but its own origin.
	Storage []string
	// Elsewhere answers paths that are not of the page. Nil: they are not found.
	Elsewhere http.Handler
}

// Handler returns a handler that serves the page at /.
//
// Files whose name has a hash of their content may be kept for ever, all others are asked for again at each visit, with an ETag. The
// addresses of the pages of the published web UI are served the page, too, which turns them into its own.
func Handler(o Options) http.Handler {
	if o.Elsewhere == nil {
		o.Elsewhere = http.NotFoundHandler()
	}
	files := load(built)
	policy := policy(o.Storage)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		if ofPublishedUI(name) {
			name = index
		}
		f := files[name]
		if f == nil {
			o.Elsewhere.ServeHTTP(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "the page accepts only GET and HEAD", http.StatusMethodNotAllowed)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		f.serve(w, r)
	})
}

// index is the page itself.
const index = "index.html"

// ofPublishedUI reports whether a path is that of a page of the published web UI, or that of the page itself: the router of version
// 1.3.2 (src/router.ts) has these. Share links are below job/.
func ofPublishedUI(name string) bool {
	switch name {
	case "", "about", "citation", "info", "jobs", "submit", "viewer":
		return true
	}
	return strings.HasPrefix(name, "job/")
}

// policy returns the Content-Security-Policy. The page starts WebAssembly, which checks files, but evaluates no text as a script.
// Libraries of viewers write styles into the page; scripts can't be written into it.
func policy(storage []string) string {
	connect := strings.Join(append([]string{"'self'"}, storage...), " ")
	return "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src " + connect + "; " +
		"style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; font-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// file is a file of the page. Its content is read, hashed and packed only when it is asked for: a program that serves the page, but
// whose page is not opened, has none of it in memory.
type file struct {
	all      fs.ReadFileFS
	path     string // in all
	kind     string // media type
	hashed   bool   // its name has a hash of its content
	isPacked bool   // the content is gzip

	etag   func() string // without quotes
	packed func() []byte // by gzip; nil if it would not be smaller
}

// load returns the files of the page by their paths. A file that ends in .gz is served under its name without the ending.
func load(all fs.ReadFileFS) map[string]*file {
	files := make(map[string]*file)
	for root, prefix := range map[string]string{"dist": "", "inspect/built": "inspect/"} {
		err := fs.WalkDir(all, root, func(at string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
				return err
			}
			name, isPacked := strings.CutSuffix(strings.TrimPrefix(at, root+"/"), ".gz")
			files[prefix+name] = newFile(all, at, name, isPacked)
			return nil
		})
		if err != nil {
			panic(err) // the pattern of built has the directory
		}
	}
	return files
}

// newFile returns a file. The content of a file that isPacked is gzip.
func newFile(all fs.ReadFileFS, at, name string, isPacked bool) *file {
	f := &file{all: all, path: at, kind: kind(name), hashed: strings.HasPrefix(name, "assets/"), isPacked: isPacked}
	f.etag = sync.OnceValue(func() string {
		sum := sha256.Sum256(f.content())
		return hex.EncodeToString(sum[:12])
	})
	switch {
	case isPacked:
		f.packed = f.content
	case path.Ext(name) != ".woff2":
		f.packed = sync.OnceValue(func() []byte { return pack(f.content()) })
	}
	return f
}

// content returns a copy of the content as it is embedded.
func (f *file) content() []byte {
	content, err := f.all.ReadFile(f.path)
	if err != nil {
		panic(err) // embedded files can be read
	}
	return content
}

// plain returns the content without compression.
func (f *file) plain() []byte {
	if f.isPacked {
		return unpack(f.content())
	}
	return f.content()
}

func pack(content []byte) []byte {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		panic(err) // the level is valid
	}
	z.Write(content) // a buffer takes everything
	z.Close()
	return b.Bytes()
}

// kind returns the media type of a file. It does not depend on what the machine knows of types.
func kind(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".json", ".webmanifest":
		return "application/json"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".woff2":
		return "font/woff2"
	case ".wasm":
		return "application/wasm"
	}
	return "text/plain; charset=utf-8"
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", "no-cache")
	if f.hashed {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	content, etag := f.plain, `"`+f.etag()+`"`
	if f.packed != nil {
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Values("Accept-Encoding")) {
			content, etag = f.packed, `"`+f.etag()+`-gzip"`
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("ETag", etag)
	if matches(r.Header.Values("If-None-Match"), etag) {
		h.Del("Content-Type")
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := content()
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		w.Write(body) // fails only if the browser has disconnected
	}
}

// unpack is for the few clients that take no gzip.
func unpack(packed []byte) []byte {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil
	}
	var b bytes.Buffer
	b.ReadFrom(z)
	return b.Bytes()
}

// acceptsGzip reports whether a client takes gzip.
func acceptsGzip(values []string) bool {
	for _, value := range values {
		for part := range strings.SplitSeq(value, ",") {
			name, parameter, _ := strings.Cut(part, ";")
			if name = strings.TrimSpace(name); !strings.EqualFold(name, "gzip") && name != "*" {
				continue
			}
			quality, found := strings.CutPrefix(strings.ReplaceAll(parameter, " ", ""), "q=")
			q, err := strconv.ParseFloat(quality, 64)
			return !found || err != nil || q > 0
		}
	}
	return false
}

// matches reports whether a client has the present content.
func matches(values []string, etag string) bool {
	for _, value := range values {
		for part := range strings.SplitSeq(value, ",") {
			if part = strings.TrimSpace(part); part == "*" || strings.TrimPrefix(part, "W/") == etag {
				return true
			}
		}
	}
	return false
}
