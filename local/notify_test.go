package local_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/emersion/go-smtp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/ag-computational-bio/bakta-web-backend/client"
	"github.com/ag-computational-bio/bakta-web-backend/lib/notify"
)

// hooks is a receiver of webhooks.
type hooks struct {
	*httptest.Server
	ca string // file of its authority

	mu       sync.Mutex
	received []hooked
	status   func(n int) int // of the answer to the nth message, from 0; nil: 200
}

type hooked struct {
	header http.Header
	body   []byte
}

func receiveHooks(t *testing.T, status func(n int) int) *hooks {
	t.Helper()
	h := &hooks{status: status}
	h.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("reading a message: %v", err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.received = append(h.received, hooked{r.Header, body})
		if h.status != nil {
			w.WriteHeader(h.status(len(h.received) - 1))
		}
	}))
	t.Cleanup(h.Close)
	h.ca = filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw})
	if err := os.WriteFile(h.ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *hooks) messages() []hooked {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]hooked(nil), h.received...)
}

// letterbox is a mail server. Its answers to recipients are those of the table.
type letterbox struct {
	address string
	refuse  map[string]*smtp.SMTPError

	mu      sync.Mutex
	letters []string
	to      []string
	tried   int
}

func (l *letterbox) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{box: l}, nil }

type session struct {
	box *letterbox
	to  string
}

func (*session) Reset()                               {}
func (*session) Logout() error                        { return nil }
func (*session) Mail(string, *smtp.MailOptions) error { return nil }
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.tried++
	if refusal := s.box.refuse[to]; refusal != nil {
		return refusal
	}
	return nil
}

func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.letters, s.box.to = append(s.box.letters, string(text)), append(s.box.to, s.to)
	return err
}

// receiveMail starts a mail server on this machine, with the certificate of a receiver of webhooks.
func receiveMail(t *testing.T, h *hooks, refuse map[string]*smtp.SMTPError) *letterbox {
	t.Helper()
	box := &letterbox{refuse: refuse}
	server := smtp.NewServer(box)
	server.TLSConfig = h.TLS.Clone()
	server.Domain = "mail.example.org"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	box.address = listener.Addr().String()
	go server.Serve(listener) // ends when the server closes
	t.Cleanup(func() { server.Close() })
	return box
}

// submitNotifying starts a job that asks for notifications, by the call that returns the key.
func submitNotifying(t *testing.T, b *backend, name string, n client.Notify) (client.Ref, string) {
	t.Helper()
	v2 := b.client().V2()
	made, err := v2.Init(t.Context(), "bakta", name)
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range made.Uploads {
		if link.Required {
			if err := v2.Upload(t.Context(), link, client.BytesContent([]byte(genome)), nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, key, err := v2.StartNotifying(t.Context(), made.Job, "bakta", client.Config{}, n)
	if err != nil {
		t.Fatal(err)
	}
	// The answer may have been lost: the same start returns the same key, and one with other notifications is refused.
	if _, again, err := v2.StartNotifying(t.Context(), made.Job, "bakta", client.Config{}, n); err != nil || again != key {
		t.Errorf("the repeated start returns %q, %v, want %q", again, err, key)
	}
	if _, _, err := v2.StartNotifying(t.Context(), made.Job, "bakta", client.Config{}, client.Notify{}); err == nil ||
		!strings.Contains(err.Error(), "other notifications") {
		t.Errorf("a start without the notifications: %v", err)
	}
	return made.Job, key
}

// settled waits until no message about the end itself is pending, and returns the messages by event and channel.
func settled(t *testing.T, b *backend, job client.Ref) map[string]client.Notification {
	t.Helper()
	found := make(map[string]client.Notification)
	wait(t, "the messages are delivered", func() bool {
		state, err := b.client().V2().State(t.Context(), job, 0, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range state.Notifications {
			found[n.Event+" "+n.Channel] = n
			if n.Status == "pending" && n.Event != "expiring" {
				return false
			}
		}
		return len(state.Notifications) > 0
	})
	return found
}

// TestNotified has jobs notify a webhook and a mail address, as a user of the public API sees it.
func TestNotified(t *testing.T) {
	t.Parallel()
	h := receiveHooks(t, func(n int) int { return []int{500, 200}[min(n, 1)] }) // the first attempt fails
	box := receiveMail(t, h, nil)
	b := startBackend(t, t.TempDir(), "--bakta", "stand-in", "--notify-webhooks", "--notify-allow", "127.0.0.0/8", "--notify-ca", h.ca,
		"--mail-server", "smtp://"+box.address, "--mail-from", "Bakta <bakta@example.org>")
	const name = "E. coli \"K-12\"\r\nBcc: eve@example.org\r\n\r\nBücher"
	job, key := submitNotifying(t, b, name, client.Notify{Webhook: h.URL + "/hook?for=ada", Email: "ada@example.org"})
	found := settled(t, b, job)
	hook, letter := found["succeeded webhook"], found["succeeded email"]
	if hook.Status != "delivered" || hook.Attempts != 2 || hook.ID != job.ID+"-succeeded" || hook.Error != "" {
		t.Errorf("the webhook: %+v", hook)
	}
	if letter.Status != "delivered" || letter.Attempts != 1 {
		t.Errorf("the mail: %+v", letter)
	}
	expiring := found["expiring webhook"]
	if days := time.Until(expiring.Next).Hours() / 24; expiring.Status != "pending" || days < 26.9 || days > 27.1 {
		t.Errorf("the message about the expiry: %+v", expiring)
	}

	verifier, err := standardwebhooks.NewWebhook(key)
	if err != nil {
		t.Fatalf("the key %q: %v", key, err)
	}
	messages := h.messages()
	if len(messages) != 2 || !bytes.Equal(messages[0].body, messages[1].body) {
		t.Fatalf("%d messages: %s", len(messages), messages)
	}
	for _, m := range messages {
		if err := verifier.Verify(m.body, m.header); err != nil || m.header.Get("Webhook-Id") != hook.ID {
			t.Errorf("the message %s does not verify: %v", m.header.Get("Webhook-Id"), err)
		}
		if err := verifier.Verify(append(m.body, ' '), m.header); err == nil {
			t.Error("a message that was changed verifies")
		}
	}
	var e event.Event
	var data notify.Data
	if err := json.Unmarshal(messages[0].body, &e); err != nil {
		t.Fatal(err)
	}
	if err := e.DataAs(&data); err != nil || e.Type() != "org.bakta.job.succeeded" || e.Subject() != job.ID || data.Name != name ||
		data.State != "successful" || data.Ended.Before(data.Started) {
		t.Errorf("the event: %v, %+v, %v", e, data, err)
	}
	for _, m := range messages {
		if strings.Contains(string(m.body), job.Secret) || strings.Contains(string(m.body), "http") {
			t.Errorf("the message has a secret or a link: %s", m.body)
		}
	}

	box.mu.Lock()
	defer box.mu.Unlock()
	if len(box.letters) != 1 || box.to[0] != "ada@example.org" {
		t.Fatalf("letters to %v: %v", box.to, box.letters)
	}
	read, err := netmail.ReadMessage(strings.NewReader(box.letters[0]))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(read.Header.Get("Subject"))
	if err != nil || !strings.Contains(subject, `K-12`) || !strings.Contains(subject, "Bücher") || strings.ContainsAny(subject, "\r\n") {
		t.Errorf("the subject is %q, %v", subject, err)
	}
	if read.Header.Get("Bcc") != "" || read.Header.Get("Auto-Submitted") != "auto-generated" ||
		read.Header.Get("Message-Id") != "<"+hook.ID+"@example.org>" || read.Header.Get("From") == "" ||
		strings.Contains(box.letters[0], job.Secret) {
		t.Errorf("the mail is %s", box.letters[0])
	}
}

// TestRefused has receivers that are gone, or refuse an address, and starts that ask for what is not offered.
func TestRefused(t *testing.T) {
	t.Parallel()
	h := receiveHooks(t, func(int) int { return http.StatusGone })
	box := receiveMail(t, h, map[string]*smtp.SMTPError{
		"nobody@example.org": {Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user at internal.example.org"},
		"busy@example.org":   {Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "<Busy@example.org>: try again"},
	})
	b := startBackend(t, t.TempDir(), "--bakta", "stand-in", "--notify-webhooks", "--notify-allow", "127.0.0.0/8", "--notify-ca", h.ca,
		"--mail-server", "smtp://"+box.address, "--mail-from", "bakta@example.org")
	job, _ := submitNotifying(t, b, "gone", client.Notify{Webhook: h.URL + "/private-path", Email: "nobody@example.org"})
	found := settled(t, b, job)
	if n := found["succeeded webhook"]; n.Status != "given_up" || n.Attempts != 1 || !strings.Contains(n.Error, "410") {
		t.Errorf("a receiver that is gone: %+v", n)
	}
	if n := found["succeeded email"]; n.Status != "given_up" || n.Attempts != 1 || !strings.Contains(n.Error, "550") ||
		strings.Contains(n.Error, "internal") {
		t.Errorf("an address that does not exist: %+v", n)
	}
	job, _ = submitNotifying(t, b, "busy", client.Notify{Email: "busy@example.org"})
	wait(t, "the mail is tried again", func() bool {
		state, err := b.client().V2().State(t.Context(), job, 0, "")
		if err != nil {
			t.Fatal(err)
		}
		return len(state.Notifications) > 0 && state.Notifications[0].Attempts >= 2 && state.Notifications[0].Status == "pending"
	})
	if err := b.client().V2().Delete(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	// An address is personal data, and the path of a webhook is often a secret.
	if text := b.errors.String(); !strings.Contains(text, "451") || strings.Contains(strings.ToLower(text), "busy@") ||
		strings.Contains(text, "private-path") {
		t.Errorf("the log is\n%s", text)
	}

	without := startBackend(t, t.TempDir(), "--bakta", "stand-in")
	for _, tt := range []struct {
		backend *backend
		path    string
		notify  string
		refused string
	}{
		{b, "/api/v2/job/start", `{"webhook":"` + h.URL + `"}`, "/api/v2/job/submit"},
		{b, "/api/v2/job/submit", `{"webhook":"http://example.org"}`, "only https"},
		{b, "/api/v2/job/submit", `{"webhook":"https://10.0.0.1/"}`, "not a public one"},
		{b, "/api/v2/job/submit", `{"email":"ada"}`, "not an e-mail address"},
		{without, "/api/v2/job/submit", `{"webhook":"https://example.org/"}`, "does not send webhooks"},
		{without, "/api/v2/job/submit", `{"email":"ada@example.org"}`, "does not send mail"},
		{b, "/api/v2/job/start", `{"email":"ada@example.org"}`, ""},
		{without, "/api/v2/job/submit", `{}`, ""},
		{without, "/api/v2/job/submit", `null`, ""},
	} {
		v2 := tt.backend.client().V2()
		made, err := v2.Init(t.Context(), "bakta", "x")
		if err != nil {
			t.Fatal(err)
		}
		if err := v2.Upload(t.Context(), made.Uploads[0], client.BytesContent([]byte(genome)), nil); err != nil {
			t.Fatal(err)
		}
		body := fmt.Sprintf(`{"job":{"job_id":%q,"secret":%q},"workflow_kind":"bakta","config":{},"notify":%s}`,
			made.Job.ID, made.Job.Secret, tt.notify)
		answer, err := http.Post(tt.backend.url+tt.path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if tt.refused == "" && answer.StatusCode != 200 ||
			tt.refused != "" && (answer.StatusCode != 400 || !strings.Contains(string(text), tt.refused)) {
			t.Errorf("%s with %s: %d %s, want %q", tt.path, tt.notify, answer.StatusCode, text, tt.refused)
		}
	}
	for where, want := range map[*backend]string{
		b: `"notify":{"webhook":true,"email":true}`, without: `"notify":{"webhook":false,"email":false}`,
	} {
		answer, err := http.Get(where.url + "/api/v2/options")
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if !strings.Contains(string(text), want) {
			t.Errorf("the options do not have %s", want)
		}
	}
}

// TestOnEnd runs a command at the end of each job: also after the backend was killed while the command ran.
func TestOnEnd(t *testing.T) {
	t.Parallel()
	dir, data := t.TempDir(), t.TempDir()
	out := filepath.Join(dir, "out")
	command := func(then string) string {
		return fmt.Sprintf(`echo "$BAKTA_JOB_ID $BAKTA_JOB_STATE $(cat)" >> %q; %s`, out, then)
	}
	b := startBackend(t, data, "--bakta", "stand-in", "--on-end", command("sleep 600"))
	job, started, err := submit(t.Context(), b.client(), "first", genome)
	if err != nil || !started {
		t.Fatal(err)
	}
	lines := func() []string {
		text, _ := os.ReadFile(out)
		return strings.Split(strings.TrimSpace(string(text)), "\n")
	}
	wait(t, "the command runs", func() bool { return strings.HasPrefix(lines()[0], job.ID) })
	b.stop() // ends the command; it is run again at the next start
	b = startBackend(t, data, "--bakta", "stand-in", "--on-end", command("exit 3"))
	wait(t, "the command runs again", func() bool { return len(lines()) == 2 })
	next, _, err := submit(context.WithoutCancel(t.Context()), b.client(), "second", genome)
	if err != nil {
		t.Fatal(err)
	}
	wait(t, "the command runs for the next job", func() bool { return len(lines()) == 3 })
	for i, id := range []string{job.ID, job.ID, next.ID} {
		prefix := id + " successful {"
		var d notify.Data
		if line := lines()[i]; !strings.HasPrefix(line, prefix) {
			t.Errorf("line %d is %s", i, line)
		} else if err := json.Unmarshal([]byte(line[len(prefix)-1:]), &d); err != nil || d.ID != id {
			t.Errorf("line %d has %+v, %v", i, d, err)
		}
	}
	wait(t, "the failure of the command is logged", func() bool { return strings.Contains(b.errors.String(), "exit status 3") })
	state, err := b.client().V2().State(t.Context(), next, 0, "")
	if err != nil || len(state.Notifications) != 0 {
		t.Errorf("users see the operators' command: %+v, %v", state.Notifications, err)
	}
}
