package access_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/internal/testissuer"
	"github.com/ag-computational-bio/bakta-web-backend/lib/access"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

func verifier(t *testing.T, i *testissuer.Issuer, change func(*access.Options)) *access.Verifier {
	t.Helper()
	o := access.Options{Issuer: i.URL, Audience: testissuer.Client, ClockSkew: time.Minute}
	if change != nil {
		change(&o)
	}
	v, err := access.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// refused checks the code of an error, and part of its message.
func refused(t *testing.T, v *access.Verifier, token string, code job.Code, message string) {
	t.Helper()
	subject, err := v.Subject(t.Context(), token)
	if subject != "" || !job.Is(err, code) || !strings.Contains(err.Error(), message) {
		t.Errorf("the token is that of %q, %v; want %s with %q", subject, err, code, message)
	}
}

func accepted(t *testing.T, v *access.Verifier, token string) string {
	t.Helper()
	subject, err := v.Subject(t.Context(), token)
	if err != nil {
		t.Errorf("a valid token: %v", err)
	}
	return subject
}

// TestSubject: a user has one key, in each of its tokens, and no two users have the same.
func TestSubject(t *testing.T) {
	t.Parallel()
	i, other := testissuer.Start(t, time.Hour), testissuer.Start(t, time.Hour)
	v := verifier(t, i, nil)
	ada := i.Login(testissuer.Client, "ada")
	key := accepted(t, v, ada.ID)
	if again := accepted(t, v, ada.Access); again != key {
		t.Errorf("the access token is that of %s, not %s", again, key)
	}
	if again := accepted(t, v, i.Login(testissuer.Client, "ada", "groups").ID); again != key {
		t.Errorf("another token is that of %s, not %s", again, key)
	}
	if ben := accepted(t, v, i.Login(testissuer.Client, "ben").ID); ben == key || !strings.HasPrefix(ben, key[:13]) {
		t.Errorf("the keys are %s and %s; only the part of the issuer must be equal", key, ben)
	}
	elsewhere := other.Login(testissuer.Client, "ada").ID
	if there := accepted(t, verifier(t, other, nil), elsewhere); there[:13] == key[:13] || there[13:] == key[13:] {
		t.Errorf("users of two issuers have the keys %s and %s", key, there)
	}
	refused(t, v, elsewhere, job.BadToken, "not a signed JSON Web Token of the issuer "+i.URL)
	if strings.Contains(key, "ada") {
		t.Errorf("the key %s shows the subject", key)
	}
}

// TestRefused: what is not valid is refused, in words that say why.
func TestRefused(t *testing.T) {
	t.Parallel()
	i := testissuer.Start(t, time.Hour)
	v := verifier(t, i, nil)
	refused(t, v, i.Login(testissuer.OtherClient, "ada").ID, job.BadToken, `the token is for another audience; this server needs "bakta-web"`)
	good := i.Login(testissuer.Client, "ada").ID
	parts := strings.Split(good, ".")
	for _, bad := range []string{
		"", "x", "a.b.c", "..", good[1:], good + "." + parts[2], parts[0] + "." + parts[1] + ".", strings.Repeat("x", 1<<20),
		// {"alg":"none"}
		"eyJhbGciOiJub25lIn0." + parts[1] + ".",
		// {"alg":"HS256","kid":""}
		"eyJhbGciOiJIUzI1NiIsImtpZCI6IiJ9." + parts[1] + "." + parts[2],
		parts[0] + "." + strings.Split(i.Login(testissuer.Client, "ben").ID, ".")[1] + "." + parts[2],
	} {
		refused(t, v, bad, job.BadToken, "token")
	}
	accepted(t, v, good)
}

// TestTimes: the clocks may differ by the skew, in both directions.
func TestTimes(t *testing.T) {
	t.Parallel()
	i := testissuer.Start(t, time.Hour)
	good := i.Login(testissuer.Client, "ada").ID
	for _, row := range []struct {
		clock   time.Duration // of the verifier
		message string        // empty: accepted
	}{
		{0, ""}, {59 * time.Minute, ""}, {60*time.Minute + 50*time.Second, ""}, {61*time.Minute + time.Second, "the token expired at "},
		{24 * time.Hour, "the token expired at "}, {-50 * time.Second, ""}, {-62 * time.Second, "the token is not valid before "},
		{-24 * time.Hour, "compare the clocks of the issuer and of the server"},
	} {
		v := verifier(t, i, func(o *access.Options) { o.Now = func() time.Time { return time.Now().Add(row.clock) } })
		if row.message == "" {
			accepted(t, v, good)
		} else {
			refused(t, v, good, job.BadToken, row.message)
		}
	}
	v := verifier(t, i, nil)
	i.SetClock(-2 * time.Hour)
	refused(t, v, i.Login(testissuer.Client, "ada").ID, job.BadToken, "the token expired at ")
	i.SetClock(2 * time.Hour)
	refused(t, v, i.Login(testissuer.Client, "ada").ID, job.BadToken, "the token is not valid before ")
}

// TestGroups: a group may be required.
func TestGroups(t *testing.T) {
	t.Parallel()
	i := testissuer.Start(t, time.Hour)
	v := verifier(t, i, func(o *access.Options) { o.GroupsClaim, o.Groups = "groups", []string{"curators", "staff"} })
	accepted(t, v, i.Login(testissuer.Client, "ada", "groups").ID)
	refused(t, v, i.Login(testissuer.Client, "ben", "groups").ID, job.Forbidden, "in none of the groups")
	refused(t, v, i.Login(testissuer.Client, "cleo", "groups").ID, job.Forbidden, `the token has no groups (claim "groups")`)
	refused(t, v, i.Login(testissuer.Client, "ada").ID, job.Forbidden, "log in with the scope for groups")
	// A claim that is a text is one group.
	v = verifier(t, i, func(o *access.Options) { o.GroupsClaim, o.Groups = "email", []string{"ada@example.org"} })
	accepted(t, v, i.Login(testissuer.Client, "ada", "email").ID)
	refused(t, v, i.Login(testissuer.Client, "ben", "email").ID, job.Forbidden, "in none of the groups")
}

// TestRotation: new keys are found when a token names one, and keys that were withdrawn are given up after a while.
func TestRotation(t *testing.T) {
	t.Parallel()
	i := testissuer.Start(t, time.Hour)
	var ahead atomic.Int64
	v := verifier(t, i, func(o *access.Options) {
		o.KeysTime = 10 * time.Minute
		o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	first := i.Login(testissuer.Client, "ada").ID
	accepted(t, v, first)
	i.Rotate()
	second := i.Login(testissuer.Client, "ada").ID
	accepted(t, v, second)
	accepted(t, v, first)
	i.Withdraw()
	accepted(t, v, second) // the keys are not old
	ahead.Store(int64(11 * time.Minute))
	i.SetAway(true)
	before := i.Requests()
	accepted(t, v, second) // old keys are better than none
	for i.Requests() == before {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(200 * time.Millisecond) // for the attempt to fail
	before = i.Requests()
	for end := time.Now().Add(3 * time.Second / 2); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		accepted(t, v, second)
	}
	if n := i.Requests() - before; n > 0 {
		t.Errorf("an issuer that is down got %d more requests within the minute after an attempt", n)
	}
	i.SetAway(false)
	ahead.Store(int64(20 * time.Minute))
	givenUp(t, v, second)
	accepted(t, v, i.Login(testissuer.Client, "ada").ID)
}

// givenUp waits until a token whose key was withdrawn is refused. Old keys are read beside the calls, a second after the last ones.
func givenUp(t *testing.T, v *access.Verifier, token string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, err := v.Subject(t.Context(), token); err != nil {
			break
		}
	}
	refused(t, v, token, job.BadToken, "the signature of the token is not one of the issuer")
}

// TestOldKeys: the issuer does not answer, and the keys are old.
func TestOldKeys(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		do   func(t *testing.T, i *testissuer.Issuer, v *access.Verifier, former string)
	}{
		{"calls do not wait", func(t *testing.T, _ *testissuer.Issuer, v *access.Verifier, former string) {
			at := time.Now()
			var wait sync.WaitGroup
			for range 10 {
				wait.Go(func() { accepted(t, v, former) })
			}
			wait.Wait()
			if took := time.Since(at); took > time.Second {
				t.Errorf("they took %v", took)
			}
		}},
		{"calls that give up do not put the renewal off", func(t *testing.T, _ *testissuer.Issuer, v *access.Verifier, former string) {
			gone, cancel := context.WithCancel(t.Context())
			cancel()
			for range 10 {
				_, _ = v.Subject(gone, former) // nobody reads the answer
			}
		}},
		{"a new key", func(t *testing.T, i *testissuer.Issuer, v *access.Verifier, former string) {
			token := i.Login(testissuer.Client, "ada").ID
			short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if _, err := v.Subject(short, token); !job.Is(err, job.Unavailable) {
				t.Errorf("a call that gave up gets %v", err)
			}
			accepted(t, v, former)
			var wait sync.WaitGroup
			wait.Go(func() { accepted(t, v, token) })
			t.Cleanup(wait.Wait)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			i := testissuer.Start(t, time.Hour)
			var ahead atomic.Int64
			slow := &slowKeys{open: make(chan struct{})}
			close(slow.open)
			v := verifier(t, i, func(o *access.Options) {
				o.KeysTime = 10 * time.Minute
				o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
				o.HTTP = &http.Client{Transport: slow}
			})
			former := i.Login(testissuer.Client, "ada").ID
			accepted(t, v, former)
			i.Withdraw()
			ahead.Store(int64(11 * time.Minute))
			slow.open = make(chan struct{})
			slow.asked.Store(0)
			row.do(t, i, v, former)
			for slow.asked.Load() == 0 {
				time.Sleep(time.Millisecond)
			}
			close(slow.open)
			givenUp(t, v, former)
			accepted(t, v, i.Login(testissuer.Client, "ada").ID)
			if n := slow.asked.Load(); n > 3 {
				t.Errorf("a renewal and two refused tokens made %d requests", n)
			}
		})
	}
}

// slowKeys lets requests for keys wait until open is closed.
type slowKeys struct {
	open  chan struct{}
	asked atomic.Int64
}

func (s *slowKeys) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/keys") {
		s.asked.Add(1)
		select {
		case <-s.open:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

// TestFirstKeys: the first calls wait for the keys. One that gives up does not end the request of the others.
func TestFirstKeys(t *testing.T) {
	t.Parallel()
	i := testissuer.Start(t, time.Hour)
	slow := &slowKeys{open: make(chan struct{})}
	v := verifier(t, i, func(o *access.Options) { o.HTTP = &http.Client{Transport: slow} })
	good := i.Login(testissuer.Client, "ada").ID
	ctx, cancel := context.WithCancel(t.Context())
	var first, others sync.WaitGroup
	first.Go(func() {
		if _, err := v.Subject(ctx, good); !job.Is(err, job.Unavailable) {
			t.Errorf("a caller that gave up gets %v", err)
		}
	})
	for slow.asked.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	for range 10 {
		others.Go(func() { accepted(t, v, good) })
	}
	cancel()
	first.Wait()
	close(slow.open)
	others.Wait()
	if n := slow.asked.Load(); n > 2 {
		t.Errorf("the first calls made %d requests for the keys", n)
	}
}

// TestAway: a server starts while the issuer is down, says so in words, and goes on when it is back. It sends the issuer few requests,
// however many calls wait.
func TestAway(t *testing.T) {
	t.Parallel()
	i := testissuer.Start(t, time.Hour)
	good := i.Login(testissuer.Client, "ada").ID
	v := verifier(t, i, nil)
	i.SetAway(true)
	refused(t, v, good, job.Unavailable, "its issuer does not answer")
	// What is not for this server, or expired, needs no issuer.
	refused(t, v, "x", job.BadToken, "not a signed JSON Web Token")
	i.SetAway(false)
	accepted(t, v, good)
	i.SetAway(true)
	accepted(t, v, good) // by the keys that it has
	i.SetAway(false)
	i.Rotate()
	next := i.Login(testissuer.Client, "ada").ID
	i.SetAway(true)
	refused(t, v, next, job.Unavailable, "its issuer does not answer")
	accepted(t, v, good)
	i.SetAway(false)
	accepted(t, v, next)

	// A caller that gives up gets an answer, while the request goes on for the others.
	cold := verifier(t, i, nil)
	release := i.Hold()
	before := i.Requests()
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	wait.Go(func() {
		if _, err := cold.Subject(ctx, good); !job.Is(err, job.Unavailable) {
			t.Errorf("a caller that gave up gets %v", err)
		}
	})
	for range 100 {
		wait.Go(func() { accepted(t, cold, good) })
	}
	for i.Requests() == before {
		time.Sleep(time.Millisecond)
	}
	cancel()
	release()
	wait.Wait()
	if n := i.Requests() - before; n > 4 {
		t.Errorf("a hundred calls at once made %d requests", n)
	}
}
