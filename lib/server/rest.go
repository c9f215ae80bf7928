package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// gateway is the REST form of an API. It prepares a request for the generated gateway, and answers itself where the generated
// gateway would answer in another form than the API's.
type gateway struct {
	server *Server
	api    API
	routes routes
	mux    *runtime.ServeMux
}

// body is the body of a REST request. It records whether the body is JSON that does not fit the message: the generated gateway
// returns the same error for that as for invalid syntax.
type body struct {
	io.ReadCloser
	misfit bool
}

// Misfits is called by the decoder of jsonform.Form.
func (b *body) Misfits() { b.misfit = true }

// routes are the messages that requests are read into, by path and HTTP method.
type routes map[string]map[string]protoreflect.MessageDescriptor

func newGateway(s *Server, api API) (*gateway, error) {
	g := &gateway{server: s, api: api, routes: make(routes)}
	if err := g.routes.add(api.Desc.ServiceName); err != nil {
		return nil, err
	}
	g.mux = runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.HTTPBodyMarshaler{Marshaler: api.JSON}),
		runtime.WithErrorHandler(g.fail),
		// Methods get no header fields.
		runtime.WithIncomingHeaderMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithDisablePathLengthFallback(),
		runtime.WithDisableHTTPMethodOverride(),
		runtime.WithWriteContentLength(),
	)
	return g, api.Register(context.Background(), g.mux, conn{s})
}

// add reads the routes of a service from its annotations. Paths with variables are not supported.
func (r routes) add(service string) error {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return err
	}
	desc, ok := found.(protoreflect.ServiceDescriptor)
	if !ok {
		return fmt.Errorf("%s is not a service", service)
	}
	for i := range desc.Methods().Len() {
		m := desc.Methods().Get(i)
		rule, _ := proto.GetExtension(m.Options(), annotations.E_Http).(*annotations.HttpRule)
		if rule == nil {
			continue
		}
		for _, binding := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
			method, path := route(binding)
			if method == "" || strings.Contains(path, "{") {
				return fmt.Errorf("%s has an HTTP mapping of an unknown kind", m.FullName())
			}
			if r[path] == nil {
				r[path] = make(map[string]protoreflect.MessageDescriptor)
			}
			r[path][method] = m.Input()
		}
	}
	return nil
}

func route(rule *annotations.HttpRule) (method, path string) {
	switch p := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return http.MethodGet, p.Get
	case *annotations.HttpRule_Post:
		return http.MethodPost, p.Post
	case *annotations.HttpRule_Put:
		return http.MethodPut, p.Put
	case *annotations.HttpRule_Patch:
		return http.MethodPatch, p.Patch
	case *annotations.HttpRule_Delete:
		return http.MethodDelete, p.Delete
	}
	return "", ""
}

// ServeHTTP answers a request of the REST form.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	methods := g.routes[r.URL.Path]
	if methods == nil {
		callOf(r.Context()).at("") // the prefix is not a route
		g.answer(w, r, http.StatusNotFound, nothing())
		return
	}
	callOf(r.Context()).at(r.URL.Path)
	w.Header().Set("Cache-Control", "no-store") // answers contain secrets and links
	r = r.Clone(r.Context())
	r.Header.Del("Content-Type") // a body is read as JSON in any case; the generated gateway would refuse malformed types
	if r.Method == http.MethodHead {
		r.Method = http.MethodGet // net/http omits the body
	}
	input := methods[r.Method]
	if input == nil {
		notAllowed(w, r, methods, g.answer)
		return
	}
	query, err := g.api.JSON.Query(r.URL.RawQuery, input)
	if err != nil {
		g.answer(w, r, http.StatusBadRequest, status.New(codes.InvalidArgument, err.Error()))
		return
	}
	r.URL.RawQuery = query
	if encoding := r.Header.Get("Content-Encoding"); r.ContentLength != 0 && encoding != "" && !strings.EqualFold(encoding, "identity") {
		w.Header().Set("Accept-Encoding", "identity")
		g.answer(w, r, http.StatusUnsupportedMediaType, status.New(codes.InvalidArgument,
			"a Content-Encoding of the body is not supported; send the JSON without one"))
		return
	}
	if code, st := buffer(r, g.server.MaxBody); st != nil {
		g.answer(w, r, code, st)
		return
	}
	r.Body = &body{ReadCloser: r.Body}
	g.mux.ServeHTTP(w, r)
}

// buffer reads the body into memory, at most most bytes. If it cannot, it returns the status to answer with.
func buffer(r *http.Request, most int64) (int, *status.Status) {
	tooLarge := status.Newf(codes.ResourceExhausted, "the body is too large: the limit is %d bytes", most)
	if r.ContentLength > most {
		return http.StatusRequestEntityTooLarge, tooLarge
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return http.StatusRequestTimeout, status.New(codes.DeadlineExceeded, "the body arrived too slowly")
	case err != nil:
		return http.StatusBadRequest, status.New(codes.InvalidArgument, "the body ended before it was complete")
	case int64(len(body)) > most:
		return http.StatusRequestEntityTooLarge, tooLarge
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	return http.StatusOK, nil
}

// fail is the error handler of the generated gateway.
func (g *gateway) fail(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
	st := status.Convert(err)
	code := runtime.HTTPStatusFromCode(st.Code())
	if b, ok := r.Body.(*body); ok && b.misfit && g.api.MisfitStatus != 0 {
		code = g.api.MisfitStatus
	}
	g.answer(w, r, code, st)
}

// answer writes an error in the form of the API's errors.
func (g *gateway) answer(w http.ResponseWriter, r *http.Request, code int, st *status.Status) {
	form := g.api.ErrorBody
	if form == nil {
		form = objectBody
	}
	respond(w, r, code, st, form(st))
}

// answer writes an error as an object, which is the form of errors outside an API.
func answer(w http.ResponseWriter, r *http.Request, code int, st *status.Status) {
	respond(w, r, code, st, objectBody(st))
}

// objectBody is the default form of errors.
func objectBody(st *status.Status) []byte {
	details := []json.RawMessage{}
	for _, d := range st.Proto().GetDetails() {
		if detail, err := protojson.Marshal(d); err == nil { // always: only this package adds details
			details = append(details, detail)
		}
	}
	body, _ := json.Marshal(struct { // texts and numbers can always be written
		Code    codes.Code        `json:"code"`
		Message string            `json:"message"`
		Details []json.RawMessage `json:"details"`
	}{st.Code(), st.Message(), details})
	return body
}

// leftover bounds how many bytes of an unwanted body are read: more than the genomes that users send here by mistake.
const leftover = 64 << 20

// readOut reads the rest of a request's body. Most clients send the whole body before they read the answer. A client whose connection is
// closed while it sends reports a broken connection and never sees the answer.
func readOut(r *http.Request) {
	// A client that expects 100-continue has sent nothing yet, and waits for the answer. Reading would ask for the body.
	if r.Body == nil || r.ContentLength > leftover || r.ProtoMajor == 1 && r.Header.Get("Expect") != "" {
		return
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, leftover)) // fails if the client disconnects, or takes longer than readTime
}

// respond writes an error.
func respond(w http.ResponseWriter, r *http.Request, code int, st *status.Status, body []byte) {
	readOut(r)
	callOf(r.Context()).end(st.Code(), st.Err())
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Del("Content-Length")
	switch code {
	case http.StatusUnauthorized:
		// HTTP requires a challenge. Browsers do not know this one, so they do not prompt for a password.
		header.Set("WWW-Authenticate", callOf(r.Context()).asksFor(`Secret realm="job"`))
	case http.StatusForbidden:
		if challenge := callOf(r.Context()).asksFor(""); challenge != "" {
			header.Set("WWW-Authenticate", challenge)
		}
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		header.Set("Retry-After", retryAfter(st))
	}
	w.WriteHeader(code)
	_, _ = w.Write(body) // it fails if the client has disconnected
}

func notFound(w http.ResponseWriter, r *http.Request) {
	answer(w, r, http.StatusNotFound, nothing())
}

func nothing() *status.Status { return status.New(codes.NotFound, "there is nothing at this path") }

// answerer writes an error.
type answerer func(w http.ResponseWriter, r *http.Request, code int, st *status.Status)

// notAllowed answers a request whose method the path does not have.
func notAllowed[T any](w http.ResponseWriter, r *http.Request, methods map[string]T, answer answerer) {
	allowed := make([]string, 0, len(methods)+2)
	for m := range methods {
		allowed = append(allowed, m)
		if m == http.MethodGet {
			allowed = append(allowed, http.MethodHead)
		}
	}
	allowed = append(allowed, http.MethodOptions)
	slices.Sort(allowed)
	list := strings.Join(allowed, ", ")
	w.Header().Set("Allow", list)
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	answer(w, r, http.StatusMethodNotAllowed, status.Newf(codes.Unimplemented, "this path supports %s", list))
}
