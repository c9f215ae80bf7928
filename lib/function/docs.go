package function

import (
	"net/http"
	"strings"

	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"
)

// where the documentation is served.
const (
	docsPath = "/api-docs/"
	docPath  = docsPath + "openapi.json"
)

// docsPolicy keeps the documentation's page from loading anything that this host does not serve, whatever the
// viewer would like. Its page starts the viewer by an inline script.
const docsPolicy = "default-src 'none'; connect-src 'self'; img-src 'self' data:; font-src 'self' data:; " +
	"style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Docs serves an OpenAPI document at /api-docs/openapi.json and a page that shows it at /api-docs/, and at / if
// nothing else is there. All that the page needs is part of the program.
func (h *Host) Docs(title, openAPI string) error {
	document := get(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		http.ServeContent(w, r, "", h.began, strings.NewReader(openAPI))
	})
	viewer := v5emb.NewHandlerWithConfig(swgui.Config{
		Title:       title,
		SwaggerJSON: docPath,
		BasePath:    docsPath,
		SettingsUI: map[string]string{
			"validatorUrl":             "null", // else the viewer shows the document to a server on the internet
			"defaultModelsExpandDepth": "0",
			"displayRequestDuration":   "true",
			"tryItOutEnabled":          "true",
		},
	})
	page := get(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", docsPolicy)
		viewer.ServeHTTP(w, r)
	})
	if err := h.Handle(docPath, h.cors.Handler(document)); err != nil {
		return err
	}
	if err := h.Handle(docsPath, page); err != nil {
		return err
	}
	if h.paths["/"] != nil {
		return nil
	}
	root := get(func(w http.ResponseWriter, r *http.Request) {
		r = r.Clone(r.Context())
		r.URL.Path = docsPath
		page.ServeHTTP(w, r)
	})
	return h.Handle("/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			notFound(w, r)
			return
		}
		root.ServeHTTP(w, r)
	}))
}

// get lets GET and HEAD pass.
func get(serve http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			notAllowed(w, r, map[string]bool{http.MethodGet: true})
			return
		}
		serve(w, r)
	})
}
