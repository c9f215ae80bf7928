package server

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/swaggest/swgui/v5/static"
	"github.com/vearutop/statigz"
)

// The paths of the documentation.
const (
	docsPath = "/api-docs/"
	docPath  = docsPath + "openapi.json"
	oldPath  = "/swagger-ui" // of older versions
)

// Document describes a version of an API.
type Document struct {
	Version   string // as in paths: "v1"
	Swagger2  string // in JSON
	OpenAPI31 string // in JSON
}

// docsPage is the documentation's page: BASE, TITLE, LINKS and SOURCES in it are replaced. Not a template of html/template: one
// calls methods by their names, so the linker would keep every method of every type in each program that serves the page.
//
//go:embed docs.html
var docsPage string

// docsPolicy prevents the documentation's page from loading anything from another server. An inline script starts the viewer.
const docsPolicy = "default-src 'none'; connect-src 'self'; img-src 'self' data:; font-src 'self' data:; " +
	"style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Docs serves documents and one page that shows them, beginning with the first one. The program contains everything that the page needs.
//
// The OpenAPI 3.1 document of a version is at /api-docs/openapi-3.1-<version>.json. Its Swagger 2 document, which the page shows, is at
// /api-docs/openapi-<version>.json; that of the last version, which old clients use, is also at /api-docs/openapi.json. The page is at
// /api-docs/, and at / unless another handler is there. /swagger-ui, the path of older versions, redirects to it.
func (s *Server) Docs(title string, documents ...Document) error {
	if len(documents) == 0 {
		return errors.New("there are no documents to serve")
	}
	type source struct {
		URL  string `json:"url"`
		Name string `json:"name"`
	}
	var sources []source
	links := `<div class="documents">`
	for _, d := range documents {
		path, path31 := fmt.Sprintf("%sopenapi-%s.json", docsPath, d.Version), fmt.Sprintf("%sopenapi-3.1-%s.json", docsPath, d.Version)
		if err := errors.Join(s.Handle(path, s.document(d.Swagger2)), s.Handle(path31, s.document(d.OpenAPI31))); err != nil {
			return err
		}
		sources = append(sources, source{path, title + " " + d.Version})
		version := html.EscapeString(d.Version)
		links += fmt.Sprintf(`<span>%s: <a href="%s">OpenAPI 3.1</a>, <a href="%s">Swagger 2</a></span> `,
			version, html.EscapeString(path31), html.EscapeString(path))
	}
	links += "</div>"
	if err := s.Handle(docPath, s.document(documents[len(documents)-1].Swagger2)); err != nil {
		return err
	}
	urls, err := json.Marshal(sources)
	if err != nil {
		return err
	}
	content := strings.NewReplacer("BASE", docsPath, "TITLE", html.EscapeString(title), "LINKS", links, "SOURCES", string(urls)).
		Replace(docsPage)
	files := sync.OnceValue(func() http.Handler { // it reads all files
		return http.StripPrefix(docsPath, statigz.FileServer(static.FS))
	})
	page := get(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", docsPolicy)
		if r.URL.Path != docsPath {
			files().ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, content)
	})
	old := get(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, docsPath, http.StatusPermanentRedirect)
	})
	if err := errors.Join(s.Handle(docsPath, page), s.Handle(oldPath, old), s.Handle(oldPath+"/", old)); err != nil {
		return err
	}
	if s.paths["/"] != nil {
		return nil
	}
	root := get(func(w http.ResponseWriter, r *http.Request) {
		r = r.Clone(r.Context())
		r.URL.Path = docsPath
		page.ServeHTTP(w, r)
	})
	nothing := s.NotFound()
	return s.Handle("/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			nothing.ServeHTTP(w, r)
			return
		}
		root.ServeHTTP(w, r)
	}))
}

// document serves one document.
func (s *Server) document(content string) http.Handler {
	return s.cors.Handler(get(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		http.ServeContent(w, r, "", s.began, strings.NewReader(content))
	}))
}

// get serves GET and HEAD, and refuses other methods.
func get(serve http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			notAllowed(w, r, map[string]bool{http.MethodGet: true}, answer)
			return
		}
		serve(w, r)
	})
}
