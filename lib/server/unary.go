package server

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// net/http serves the connections, because both protocols share one port and proxies such as Knative's send both over one connection.
// gRPC's own handler for net/http, grpc.Server.ServeHTTP, starts four goroutines for each call and flushes three times, which is more
// work than all else that an empty call needs. So what nearly all calls are is answered here: one message each way, not compressed.
// grpc.Server answers all others: streams (health, reflection), compressed messages, other encodings, unknown methods, and headers that
// are not valid.

// prefixLength is the length of what precedes a message: whether it is compressed, and its length.
const prefixLength = 5

// unary returns what answers a call here, and its time limit; nil if grpc.Server must answer it.
func (s *Server) unary(r *http.Request) (handler grpc.MethodHandler, timeout time.Duration) {
	if r.Method != http.MethodPost {
		return nil, 0
	}
	switch r.Header.Get("Content-Type") {
	case "application/grpc", "application/grpc+proto":
	default:
		return nil, 0
	}
	if encoding := r.Header.Get("Grpc-Encoding"); encoding != "" && encoding != "identity" {
		return nil, 0
	}
	for name := range r.Header {
		if strings.HasSuffix(name, "-Bin") { // its value is encoded
			return nil, 0
		}
	}
	if text := r.Header.Get("Grpc-Timeout"); text != "" {
		var ok bool
		if timeout, ok = parseTimeout(text); !ok {
			return nil, 0
		}
	}
	return s.methods[r.URL.Path], timeout
}

// parseTimeout reads a Grpc-Timeout: at most eight digits, and a unit. One that is far too long for a Duration is not read.
func parseTimeout(text string) (time.Duration, bool) {
	units := map[byte]time.Duration{
		'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
	}
	last := len(text) - 1
	if last < 1 || last > 8 {
		return 0, false
	}
	n, err := strconv.ParseUint(text[:last], 10, 31) // eight digits are fewer
	unit := units[text[last]]
	if err != nil || unit == 0 || time.Duration(n) > time.Duration(1<<63-1)/unit {
		return 0, false
	}
	return time.Duration(n) * unit, true
}

// call answers a call with one message each way.
func (s *Server) call(w http.ResponseWriter, r *http.Request, handler grpc.MethodHandler, timeout time.Duration) {
	ctx := metadata.NewIncomingContext(r.Context(), metadataOf(r))
	if r.Header.Get("Grpc-Timeout") != "" {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	m := messages.Get().(*message)
	defer m.release()
	err := s.handle(ctx, r, handler, m)
	header := w.Header()
	// HTTP needs neither, and gRPC's server sends neither.
	header["Date"], header["Content-Length"] = nil, nil
	header["Content-Type"] = r.Header["Content-Type"]
	if err != nil {
		fail(header, status.Convert(err))
		return
	}
	header[http.TrailerPrefix+"Grpc-Status"] = ok
	_, _ = w.Write(m.bytes) // it fails if the client has disconnected
}

// handle reads the message of a call, calls the handler, and replaces the message by the answer.
func (s *Server) handle(ctx context.Context, r *http.Request, handler grpc.MethodHandler, m *message) error {
	answer, err := handler(nil, ctx, func(request any) error {
		err := m.read(r.Body, s.MaxBody)
		if err == nil {
			if err = proto.Unmarshal(m.bytes, request.(proto.Message)); err != nil {
				err = status.Errorf(codes.Internal, "the message can't be read: %v", err)
			}
		}
		if ctx.Err() != nil { // the caller waits no more, and what it sent may be incomplete for that reason
			err = status.FromContextError(ctx.Err()).Err()
		}
		if err != nil {
			callOf(ctx).end(status.Code(err), err)
		}
		return err
	}, s.intercept)
	if err != nil {
		return err
	}
	return m.write(answer)
}

var ok = []string{"0"}

// fail sets the trailers of a call that failed.
func fail(header http.Header, st *status.Status) {
	header.Set(http.TrailerPrefix+"Grpc-Status", strconv.Itoa(int(st.Code())))
	if text := st.Message(); text != "" {
		header.Set(http.TrailerPrefix+"Grpc-Message", percent(text))
	}
	if p := st.Proto(); len(p.GetDetails()) > 0 {
		if details, err := proto.Marshal(p); err == nil { // always: the server wrote it
			header.Set(http.TrailerPrefix+"Grpc-Status-Details-Bin", base64.RawStdEncoding.EncodeToString(details))
		}
	}
}

// percent encodes a Grpc-Message: all but the printable characters of ASCII, and the percent sign.
func percent(text string) string {
	var b strings.Builder
	for _, c := range []byte(strings.ToValidUTF8(text, "\uFFFD")) {
		if c < ' ' || c > '~' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// metadataOf returns what a call's method sees of the header. The fields of the protocol are not in it.
func metadataOf(r *http.Request) metadata.MD {
	md := make(metadata.MD, len(r.Header)+1)
	for name, values := range r.Header {
		switch name {
		case "Te", "Grpc-Timeout", "Grpc-Encoding":
		default:
			md[strings.ToLower(name)] = values
		}
	}
	md[":authority"] = []string{r.Host}
	return md
}

// message has the bytes of a call's request, and then those of its answer.
type message struct{ bytes []byte }

var messages = sync.Pool{New: func() any { return new(message) }}

// maxKept is the capacity of the largest buffer that is kept for other calls.
const maxKept = 64 << 10

func (m *message) release() {
	if cap(m.bytes) <= maxKept {
		messages.Put(m)
	}
}

// read reads the one message of a request.
func (m *message) read(body io.Reader, most int64) error {
	var prefix [prefixLength]byte
	if _, err := io.ReadFull(body, prefix[:]); err != nil {
		return incomplete(err)
	}
	if prefix[0] != 0 {
		return status.Error(codes.Internal, "the message is compressed, and the call names no Grpc-Encoding")
	}
	length := int(binary.BigEndian.Uint32(prefix[1:]))
	if int64(length) > most {
		return status.Errorf(codes.ResourceExhausted, "the message has %d bytes; at most %d are allowed", length, most)
	}
	if cap(m.bytes) < length {
		m.bytes = make([]byte, length)
	}
	m.bytes = m.bytes[:length]
	if _, err := io.ReadFull(body, m.bytes); err != nil {
		return incomplete(err)
	}
	switch n, err := io.ReadFull(body, prefix[:1]); {
	case n > 0:
		return status.Error(codes.Internal, "the call has more than one message")
	case !errors.Is(err, io.EOF):
		return incomplete(err)
	}
	return nil
}

func incomplete(err error) error {
	return status.Errorf(codes.Internal, "the message did not arrive completely: %v", err)
}

// write replaces the content by an answer, with its prefix.
func (m *message) write(answer any) error {
	var err error
	m.bytes = append(m.bytes[:0], make([]byte, prefixLength)...)
	m.bytes, err = proto.MarshalOptions{}.MarshalAppend(m.bytes, answer.(proto.Message))
	if err != nil {
		return status.Errorf(codes.Internal, "the answer can't be written: %v", err)
	}
	binary.BigEndian.PutUint32(m.bytes[1:prefixLength], uint32(len(m.bytes)-prefixLength)) //nolint:gosec // an answer is much shorter
	return nil
}
