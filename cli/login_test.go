package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/cli/clitest"
	"github.com/ag-computational-bio/bakta-web-backend/internal/testissuer"
	"github.com/ag-computational-bio/bakta-web-backend/lib/access"
)

// account serves what the commands call about a user's account, with tokens that the real issuer's keys verify.
type account struct {
	*httptest.Server
	bearers sync.Map // tokens that were sent
	calls   atomic.Int64
}

func newAccount(t *testing.T, i *testissuer.Issuer) *account {
	t.Helper()
	v, err := access.New(access.Options{Issuer: i.URL, Audience: testissuer.Client})
	if err != nil {
		t.Fatal(err)
	}
	a := new(account)
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if r.URL.Path == "/api/v2/access" {
			if token != "" {
				t.Errorf("a token is sent to ask for the issuer")
			}
			_ = json.NewEncoder(w).Encode(map[string]any{
				"issuer": i.URL, "audience": testissuer.Client, "client_id": testissuer.Client, "scopes": []string{"openid", "offline_access"},
			})
			return
		}
		a.calls.Add(1)
		if _, err := v.Subject(r.Context(), token); err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, "%q", err.Error())
			return
		}
		a.bearers.Store(token, true)
		fmt.Fprintf(w, `{"jobs":[{"job_id":%q,"status":"running","workflow_kind":"bakta","result_kind":"bakta","name":"from elsewhere",`+
			`"started":"2026-01-31T12:00:00Z","updated":"2026-01-31T12:00:00Z"}],"failed_jobs":[],"next_page_token":""}`, firstID)
	}))
	t.Cleanup(a.Close)
	return a
}

var deviceURL = regexp.MustCompile(`or open (\S+)`)

// logIn runs the command, and does what a user does in a browser. It returns what the command has written.
func logIn(t *testing.T, u *clitest.User, i *testissuer.Issuer) string {
	t.Helper()
	cmd := u.Command("login")
	var screen clitest.Screen
	cmd.Stdout, cmd.Stderr = &screen, &screen
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	screen.Await(t, "or open ")
	screen.Await(t, "\n")
	if err := i.Approve("ada", deviceURL.FindStringSubmatch(screen.String())[1]); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("login: %v\n%s", err, screen.String())
	}
	return screen.String()
}

// changeLogin changes the one login that a file has.
func changeLogin(t *testing.T, file string, change func(login map[string]any)) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var logins []map[string]any
	if err := json.Unmarshal(text, &logins); err != nil || len(logins) != 1 {
		t.Fatalf("%d logins, %v", len(logins), err)
	}
	change(logins[0])
	if text, err = json.Marshal(logins); err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestLogin logs in by the device flow of a real issuer. The token is renewed once by many commands at a time, is kept for the user alone,
// and is forgotten at a logout.
func TestLogin(t *testing.T) {
	t.Parallel()
	i := testissuer.Start(t, time.Hour)
	a := newAccount(t, i)
	u := clitest.NewUser(t, a.URL)
	if got := u.Must("list"); strings.Contains(got.Out, "from elsewhere") || a.calls.Load() != 0 {
		t.Errorf("without a login the list is %s", got.Out)
	}
	said := logIn(t, u, i)
	where := fmt.Sprintf("The token is from %s\nfor the audience %s\nand is sent to %s alone.\nOpen ", i.URL, testissuer.Client, a.URL)
	if !strings.HasPrefix(said, where) {
		t.Errorf("login says %q, want first %q", said, where)
	}
	file := filepath.Join(u.Dir, ".jobs", "logins.json")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the logins are kept with %v, %v", info.Mode(), err)
	}
	if got := u.Must("list"); !strings.Contains(got.Out, "from elsewhere") || !strings.Contains(got.Out, "RUNNING") {
		t.Errorf("the list is %s", got.Out)
	}
	// It is due for renewal, and still valid.
	changeLogin(t, file, func(login map[string]any) { login["expires"] = time.Now().Add(20 * time.Second) })
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	requests := i.Requests()
	var wait sync.WaitGroup
	for range 6 {
		wait.Go(func() {
			if got := u.Run("list"); got.Code != 0 || !strings.Contains(got.Out, "from elsewhere") {
				t.Errorf("while the token is renewed: %d %s%s", got.Code, got.Out, got.Err)
			}
		})
	}
	wait.Wait()
	after, err := os.ReadFile(file)
	if err != nil || bytes.Equal(before, after) {
		t.Errorf("the token was not renewed: %v", err)
	}
	if n := i.Requests() - requests; n > 3 {
		t.Errorf("six commands made %d requests to the issuer", n)
	}

	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := u.Run("list"); got.Code != exitFailed || !strings.Contains(got.Err, "can be read by other users") {
		t.Errorf("with a file that others can read: %d %s", got.Code, got.Err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	u.Must("logout")
	if got := u.Run("logout"); got.Code != exitFailed || !strings.Contains(got.Err, "you are not logged in") {
		t.Errorf("a second logout: %d %s", got.Code, got.Err)
	}
	if got := u.Must("list"); strings.Contains(got.Out, "from elsewhere") {
		t.Errorf("after the logout the list is %s", got.Out)
	}
}

// TestExpiredLogin: where the server requires no token, an expired login stops no command, also in the middle of a wait. The issuer is
// asked once. Where the server requires a token, the error says what to do.
func TestExpiredLogin(t *testing.T) {
	t.Parallel()
	i := testissuer.Start(t, time.Hour)
	const notice = "has expired; run `bakta-web login --server "
	begin := func(t *testing.T, required bool, expires time.Time) (*fake, *clitest.User) {
		f := newFake(t)
		u := clitest.NewUser(t, f.URL)
		file := filepath.Join(u.Dir, ".jobs", "logins.json")
		text, err := json.Marshal([]map[string]any{{
			"server": f.URL, "audience": testissuer.Client, "client_id": testissuer.Client, "token_url": i.URL + "/token",
			"token": "valid", "expires": expires, "refresh_token": "ended",
		}})
		if err == nil {
			err = errors.Join(os.Mkdir(filepath.Dir(file), 0o700), os.WriteFile(file, text, 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
		var asked atomic.Int64
		f.intercept(func(call string, w http.ResponseWriter, r *http.Request) bool {
			switch {
			case call == "access" && asked.Add(1) == 1:
				w.WriteHeader(http.StatusServiceUnavailable) // the next attempt succeeds
			case call == "access":
				_ = json.NewEncoder(w).Encode(map[string]any{"issuer": i.URL, "required": required})
			case strings.HasPrefix(call, "job/status") && r.Header.Get("Authorization") == "Bearer valid":
				changeLogin(t, file, func(login map[string]any) { login["expires"] = time.Now() })
				return false
			default:
				return false
			}
			return true
		})
		return f, u
	}
	for name, expires := range map[string]time.Time{"before": time.Now().Add(-time.Hour), "in the wait": time.Now().Add(time.Hour)} {
		_, u := begin(t, false, expires)
		requests := i.Requests()
		if got := u.Run("submit", "genome.fna", "--wait"); got.Code != 0 || strings.Count(got.Err, notice) != 1 {
			t.Errorf("expired %s: %d %s", name, got.Code, got.Err)
		}
		if got := u.Run("list"); got.Code != 0 || strings.Count(got.Err, notice) != 1 || !strings.Contains(got.Out, "SUCCESSFUL") {
			t.Errorf("expired %s: the list is %d %s%s", name, got.Code, got.Out, got.Err)
		}
		if n := i.Requests() - requests; n != 1 {
			t.Errorf("expired %s: %d requests to the issuer", name, n)
		}
	}
	f, u := begin(t, true, time.Now().Add(-time.Hour))
	if got := u.Run("submit", "genome.fna"); got.Code != exitFailed || f.allMade() != 0 ||
		!strings.Contains(got.Err, f.URL+": the login has expired; log in again with `bakta-web login`") {
		t.Errorf("a required login that has expired: %d %s", got.Code, got.Err)
	}
}

// TestIssuerAway: a wait goes on while the login is due for renewal and the issuer is away.
func TestIssuerAway(t *testing.T) {
	t.Parallel()
	i := testissuer.Start(t, time.Hour)
	a := newAccount(t, i)
	u := clitest.NewUser(t, a.URL)
	logIn(t, u, i)
	file := filepath.Join(u.Dir, ".jobs", "logins.json")
	f := newFake(t)
	changeLogin(t, file, func(login map[string]any) { login["server"] = f.URL })
	var looks atomic.Int64
	f.intercept(func(call string, _ http.ResponseWriter, _ *http.Request) bool {
		if call == "job/status" && looks.Add(1) == 1 {
			i.SetAway(true)
			changeLogin(t, file, func(login map[string]any) { login["expires"] = time.Now() })
		}
		return false
	})
	cmd := u.Command("submit", "genome.fna", "--wait", "--server", f.URL)
	var screen clitest.Screen
	cmd.Stdout, cmd.Stderr = &screen, &screen
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	screen.Await(t, "renewing the login")
	i.SetAway(false)
	if err := cmd.Wait(); err != nil || looks.Load() < 2 {
		t.Errorf("%v after %d looks\n%s", err, looks.Load(), screen.String())
	}
}

// TestForeignAudience: a server that names the audience of another one could use the token there. The user is warned before the code shows.
func TestForeignAudience(t *testing.T) {
	t.Parallel()
	i := testissuer.Start(t, time.Hour)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": i.URL, "audience": "https://bakta.example.org", "client_id": testissuer.Client, "scopes": []string{"openid"},
		})
	}))
	t.Cleanup(server.Close)
	cmd := clitest.NewUser(t, server.URL).Command("login")
	var screen clitest.Screen
	cmd.Stdout, cmd.Stderr = &screen, &screen
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	screen.Await(t, "enter the code")
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	before, _, _ := strings.Cut(screen.String(), "enter the code")
	if !strings.Contains(before, "for the audience https://bakta.example.org\n") ||
		!strings.Contains(before, "warning: the audience is the URL of another server.") {
		t.Errorf("before the code the command says %q", before)
	}
}

// TestNoLogin: what a server without a login, or behind an address that is not private, is answered.
func TestNoLogin(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"issuer":""}`) }))
	t.Cleanup(server.Close)
	u := clitest.NewUser(t, server.URL)
	if got := u.Run("login"); got.Code != exitFailed || !strings.Contains(got.Err, "has no login") {
		t.Errorf("login: %d %s", got.Code, got.Err)
	}
	older := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `"Not Found"`)
	}))
	t.Cleanup(older.Close)
	if got := u.Run("login", "--server", older.URL); got.Code != exitFailed ||
		!strings.Contains(got.Err, "has no login: it is an older server") {
		t.Errorf("login: %d %s", got.Code, got.Err)
	}
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"issuer":"http://login.example.org","audience":"a","client_id":"a","scopes":["openid"]}`)
	}))
	t.Cleanup(other.Close)
	if got := u.Run("login", "--server", other.URL); got.Code != exitFailed ||
		!strings.Contains(got.Err, "http://login.example.org is not https") {
		t.Errorf("login: %d %s", got.Code, got.Err)
	}
}
