//go:build e2e

package backend_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/ag-computational-bio/bakta-web-backend/internal/testissuer"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	pbv2 "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// The limits of callers in TestCallers.
const (
	unstartedJobs  = 3
	callsPerMinute = 90
)

// Through the real ingress, callers are limited by their network or by the subject of their token, whatever they write in header fields;
// jobs take turns; and a token's jobs belong to its subject. Without the configuration, all of it is off again.
func TestCallers(t *testing.T) {
	s := newSuite(t)
	host := net.ParseIP(s.target.mongo.Hostname())
	if !s.target.gates || host == nil || s.target.proxies == "" {
		t.Skip("NOT TESTED: pods can't reach an issuer on this machine (E2E_GATES), or the number of proxies is not known (E2E_TRUSTED_PROXIES)")
	}
	t.Run("limited", func(t *testing.T) {
		s := suite{t, s.world}
		_, err := s.database.Collection("annotationLimits").DeleteMany(t.Context(), bson.D{}) // what an earlier run of this test used
		s.must(err)
		issuer := s.identify(host)
		_, err = s.kubectl(t.Context(), "", "delete", "pingsource/sweep") // until the end of the test
		s.must(err)
		network := person{suite: s}
		ada := person{s, issuer.Login(testissuer.Client, "ada").ID}
		ben := person{s, issuer.Login(testissuer.Client, "ben").ID}

		made := network.fill()
		network.takeTurns(made, ada)
		ada.own(ben)
		network.exhaust(ada)
	})
	s.wait("an answer without limits", func(context.Context) error {
		if a := (person{suite: s}).ask(http.MethodGet, "/api/v2/version", ""); a.code != http.StatusOK || a.header.Get("RateLimit") != "" {
			return fmt.Errorf("it is %d with %v", a.code, a.header)
		}
		return nil
	})
}

// alwaysActivator has Knative's activator always in the path of calls, so that the number of proxies does not change.
const alwaysActivator = `patches:
  - target: {group: serving.knative.dev, kind: Service, name: submit|status|expire}
    patch: |
      - op: add
        path: /spec/template/metadata/annotations/autoscaling.knative.dev~1target-burst-capacity
        value: "-1"
`

// identify starts an issuer and deploys so that its tokens are accepted, the addresses of callers are known, and callers are limited.
func (s suite) identify(host net.IP) *testissuer.Issuer {
	s.Helper()
	var authority string
	issuer := testissuer.StartAt(s.T, time.Hour, func(front http.Handler) (string, *http.Client) {
		var at string
		at, authority = receiverAt(s.T, host, front.ServeHTTP)
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM([]byte(authority))
		return at, &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	})
	certificate, err := json.Marshal(authority)
	s.must(err)
	s.varyBy(alwaysActivator+fmt.Sprintf(`
  - target: {kind: ConfigMap, name: bakta-web}
    patch: |
      [{"op": "add", "path": "/data/issuer.pem", "value": %s}]
  - target: {group: serving.knative.dev, kind: Service, name: submit|status|expire}
    patch: |
      - op: add
        path: /spec/template/spec/containers/0/env/-
        value: {name: SSL_CERT_FILE, value: /config/issuer.pem}
`, certificate), func(config string) string {
		return config + fmt.Sprintf("Access: {TrustedProxies: %s, Issuer: %q, Audience: %s}\n", s.target.proxies, issuer.URL, testissuer.Client) +
			fmt.Sprintf("Limits: {Caller: {Unstarted: %d, Launched: 1, CallsPerMinute: %d}}\n", unstartedJobs, callsPerMinute)
	})
	return issuer
}

// fromElsewhere checks that a call from another address than that of the other calls is served. Through the ingress's node port, all
// calls come from the address of the bridge; straight to the ingress's pod, they keep the address of the node.
func (s suite) fromElsewhere() {
	s.Helper()
	host, _, err := net.SplitHostPort(s.target.ingress)
	s.must(err)
	pod, err := s.kubectl(s.Context(), "", "--namespace=traefik", "get", "pods", "--selector=app=traefik",
		"-o", "jsonpath={.items[0].status.podIP}")
	s.must(err)
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(host)}}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: dialer.DialContext}}
	q, err := http.NewRequestWithContext(s.Context(), http.MethodGet, "http://"+net.JoinHostPort(pod, "8000")+"/api/v2/version", nil)
	s.must(err)
	q.Host = s.target.host
	a, err := client.Do(q)
	s.must(err)
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		s.Errorf("a call from %s is answered %s", host, a.Status)
	}
}

// person is a caller with a token, or without one if it is empty.
type person struct {
	suite
	token string
}

// reply is the answer to a call by REST.
type reply struct {
	code   int
	header http.Header
	text   string
}

// forged are header fields that name other callers, others for each n.
func forged(n int) map[string]string {
	other := fmt.Sprintf("198.51.100.%d", n%250+1)
	return map[string]string{
		"X-Forwarded-For": strings.Repeat(other+", ", n%9) + other, // up to more entries than there are proxies
		"X-Real-Ip":       other,
		"Forwarded":       "for=" + other,
	}
}

// ask calls by REST.
func (p person) ask(method, path, body string, fields ...map[string]string) reply {
	p.Helper()
	q, err := http.NewRequestWithContext(p.Context(), method, "http://"+p.target.ingress+path, strings.NewReader(body))
	p.must(err)
	q.Host = p.target.host
	if p.token != "" {
		q.Header.Set("Authorization", "Bearer "+p.token)
	}
	for _, more := range fields {
		for name, value := range more {
			q.Header.Set(name, value)
		}
	}
	a, err := http.DefaultClient.Do(q)
	p.must(err)
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	p.must(err)
	return reply{a.StatusCode, a.Header, string(text)}
}

// get calls by REST, and reads the answer.
func (p person) get(method, path, body string, into any) {
	p.Helper()
	a := p.ask(method, path, body)
	if a.code != http.StatusOK {
		p.Fatalf("%s %s is answered %d: %s", method, path, a.code, trimmed(a.text))
	}
	p.must(json.Unmarshal([]byte(a.text), into))
}

// rpcContext is that of a call by gRPC with forged fields.
func (p person) rpcContext(n int) context.Context {
	var pairs []string
	for name, value := range forged(n) {
		pairs = append(pairs, strings.ToLower(name), value)
	}
	return metadata.AppendToOutgoingContext(p.Context(), pairs...)
}

// refused checks that a call by REST is refused by a limit.
func (p person) refused(a reply, limit string) {
	p.Helper()
	after, err := strconv.Atoi(a.header.Get("Retry-After"))
	policy, left := a.header.Get("RateLimit-Policy"), a.header.Get("RateLimit")
	if a.code != http.StatusTooManyRequests || err != nil || after < 1 || after > 70 ||
		!strings.Contains(a.text, "the limit "+limit+" is reached") ||
		!strings.Contains(policy, `"`+limit+`";q=`) || !strings.Contains(left, `"`+limit+`";r=0`) {
		p.Errorf("a call above %s is answered %d with %v: %s", limit, a.code, a.header, trimmed(a.text))
	}
}

// refusedRPC checks that a call by gRPC is refused by a limit.
func (p person) refusedRPC(err error, limit string) {
	p.Helper()
	var retry *errdetails.RetryInfo
	name := ""
	for _, d := range status.Convert(err).Details() {
		switch d := d.(type) {
		case *errdetails.RetryInfo:
			retry = d
		case *errdetails.ErrorInfo:
			name = d.GetMetadata()["limit"]
		}
	}
	if status.Code(err) != codes.ResourceExhausted || retry.GetRetryDelay().AsDuration() < time.Second || name != limit {
		p.Errorf("a call above %s is answered %v with %v", limit, err, status.Convert(err).Details())
	}
}

// fill creates as many jobs as the caller may have unstarted, and checks that a further one is refused, each as another forged caller.
func (p person) fill() (made []ref) {
	p.Helper()
	const one, two = `{"name":"a test","repliconTableType":"TSV"}`, `{"name":"a test","workflow_kind":"bakta"}`
	for n := range unstartedJobs {
		a := p.ask(http.MethodPost, "/api/v1/job/init", one, forged(n))
		var answer struct {
			Job  ref    `json:"job"`
			Link string `json:"uploadLinkFasta"`
		}
		if a.code != http.StatusOK {
			p.Fatalf("job %d is answered %d: %s", n, a.code, trimmed(a.text))
		}
		if policy := fmt.Sprintf(`"unstarted-jobs";q=%d`, unstartedJobs); !strings.Contains(a.header.Get("RateLimit-Policy"), policy) ||
			!strings.Contains(a.header.Get("RateLimit"), fmt.Sprintf(`"unstarted-jobs";r=%d`, unstartedJobs-n-1)) {
			p.Errorf("job %d is answered with %v", n, a.header)
		}
		p.must(json.Unmarshal([]byte(a.text), &answer), upload(p.Context(), answer.Link, genome))
		made = append(made, answer.Job)
	}
	for n := range 9 {
		p.refused(p.ask(http.MethodPost, "/api/v1/job/init", one, forged(n)), "unstarted-jobs")
	}
	p.refused(p.ask(http.MethodPost, "/api/v1/job/init", one), "unstarted-jobs")
	p.refused(p.ask(http.MethodPost, "/api/v2/job/init", two, forged(2)), "unstarted-jobs")
	_, err := pb.NewBaktaJobsClient(p.rpc).InitJob(p.rpcContext(3), &pb.InitJobRequest{Name: "a test"})
	p.refusedRPC(err, "unstarted-jobs")
	_, err = pbv2.NewBaktaJobsClient(p.rpc).InitJob(p.rpcContext(8),
		&pbv2.InitJobRequest{Name: "a test", WorkflowKind: pbv2.WorkflowKind_WORKFLOW_KIND_BAKTA})
	p.refusedRPC(err, "unstarted-jobs")
	return made
}

// turn is what the store says of a job's turn.
type turn struct {
	State    string `bson:"state"`
	Launched string `bson:"launched"`
	Start    struct {
		Waits bool `bson:"waits"`
	} `bson:"start"`
}

func (s suite) turn(ctx context.Context, id string) (got turn, err error) {
	err = s.database.Collection("annotationJobs").FindOne(ctx, map[string]string{"_id": id}).Decode(&got)
	return got, err
}

// waits checks that a job waits for its turn.
func (s suite) waits(when, id string) {
	s.Helper()
	if got, err := s.turn(s.Context(), id); err != nil || got.Launched != "" || !got.Start.Waits {
		s.Errorf("%s, a job above Launched is %+v, %v", when, got, err)
	}
}

// launched waits until a job is launched.
func (s suite) launched(id string, each func()) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	err := eventually(ctx, time.Second, func(ctx context.Context) error {
		each()
		got, err := s.turn(ctx, id)
		if err == nil && got.Launched == "" {
			err = errors.New("it waits")
		}
		return err
	})
	if err != nil {
		s.Fatalf("job %s is not launched: %v", id, err)
	}
}

// takeTurns starts all jobs. One is launched, the next one when it ends, and the third by the sweep. Meanwhile another caller has a turn of
// its own. It asks the store, because the calls are limited.
func (p person) takeTurns(jobs []ref, other person) {
	p.Helper()
	for _, r := range jobs {
		p.must(p.begin(p.Context(), r, "until-told"))
	}
	p.launched(jobs[0].ID, func() {})
	p.waits("while the first job runs", jobs[1].ID)
	p.waits("while the first job runs", jobs[2].ID)
	for place, r := range jobs[1:] {
		var answer struct {
			Queue struct {
				Place int `json:"place"`
			} `json:"queue"`
		}
		p.get(http.MethodGet, "/api/v2/job/status?job_id="+r.ID+"&secret="+r.Secret, "", &answer)
		if answer.Queue.Place != place+1 {
			p.Errorf("the place of waiting job %d is %d", place+1, answer.Queue.Place)
		}
	}
	theirs := other.createOwn()
	other.get(http.MethodPost, "/api/v2/job/submit", submission(theirs, "fine"), &struct{}{})
	p.ends(theirs.ID)
	p.waits("after the end of another caller's job", jobs[1].ID)

	p.told(jobs[0])
	p.ends(jobs[0].ID)
	p.launched(jobs[1].ID, func() {})
	p.waits("while the second job runs", jobs[2].ID)

	p.get(http.MethodDelete, "/api/v1/job/delete"+jobs[1].query(), "", &struct{}{})
	// The sweep gives the turn of a job that was deleted. It may be one that the timer has sent before it was removed.
	p.launched(jobs[2].ID, func() {
		if code := p.sent("expire", "/sweep", event("dev.knative.sources.ping", ""), "{}"); code/100 == 4 {
			p.Errorf("the sweep is answered %d", code)
		}
	})
	p.get(http.MethodDelete, "/api/v1/job/delete"+jobs[2].query(), "", &struct{}{})
}

// ends waits until the store has the job as succeeded.
func (s suite) ends(id string) {
	s.Helper()
	s.wait("the end of job "+id, func(ctx context.Context) error {
		got, err := s.turn(ctx, id)
		if err == nil && got.State != string(job.Succeeded) {
			err = errors.New("it is " + got.State)
		}
		return err
	})
}

// createOwn creates a job by the second version, and uploads a small genome.
func (p person) createOwn() ref {
	p.Helper()
	var made created
	p.get(http.MethodPost, "/api/v2/job/init", `{"name":"a test","workflow_kind":"bakta"}`, &made)
	p.must(made.upload(p.Context()))
	return made.ref()
}

// submission starts a job of the caller, without its secret.
func submission(r ref, strain string) string {
	return fmt.Sprintf(`{"job":{"job_id":%q},"workflow_kind":"bakta","config":{"strain":%q}}`, r.ID, strain)
}

// listed are the caller's own jobs.
func (p person) listed() (ids []string) {
	p.Helper()
	var list struct {
		Jobs []struct {
			ID string `json:"job_id"`
		} `json:"jobs"`
	}
	p.get(http.MethodGet, "/api/v2/jobs", "", &list)
	for _, j := range list.Jobs {
		ids = append(ids, j.ID)
	}
	return ids
}

// own checks that the caller lists its one job and uses it without its secret, and that another one can't.
func (p person) own(other person) {
	p.Helper()
	all := p.listed()
	if len(all) != 1 {
		p.Fatalf("the caller's jobs are %v", all)
	}
	if others := other.listed(); len(others) != 0 {
		p.Errorf("another caller lists %v", others)
	}
	var files struct {
		Files map[string]string `json:"result_files"`
	}
	result := fmt.Sprintf(`{"job_id":%q}`, all[0])
	p.get(http.MethodPost, "/api/v2/job/result", result, &files)
	for who, by := range map[string]person{"another subject": other, "no token": {suite: p.suite}, "a wrong token": {p.suite, p.token + "A"}} {
		if a := by.ask(http.MethodPost, "/api/v2/job/result", result); a.code != http.StatusUnauthorized {
			p.Errorf("%s, without the secret, is answered %d: %s", who, a.code, trimmed(a.text))
		}
	}
	if a := (person{suite: p.suite}).ask(http.MethodGet, "/api/v2/jobs", ""); a.code != http.StatusUnauthorized {
		p.Errorf("a list without a token is answered %d", a.code)
	}
}

// exhaust calls until the calls of a minute are used up, each as another forged caller. Then every function refuses the caller, and
// serves the other one.
func (p person) exhaust(other person) {
	p.Helper()
	n := 0
	var last reply
	for ; n <= callsPerMinute; n++ {
		if last = p.ask(http.MethodGet, "/api/v2/version", "", forged(n)); last.code != http.StatusOK {
			break
		}
	}
	p.refused(last, "calls-per-minute")
	p.refused(p.ask(http.MethodGet, "/api/v1/version", "", forged(1)), "calls-per-minute")
	p.refused(p.ask(http.MethodPost, "/api/v2/job/init", `{"workflow_kind":"bakta"}`, forged(4)), "calls-per-minute")
	_, err := pb.NewBaktaJobsClient(p.rpc).Version(p.rpcContext(6), &pb.Empty{})
	p.refusedRPC(err, "calls-per-minute")
	_, err = pbv2.NewBaktaJobsClient(p.rpc).Version(p.rpcContext(7), &pbv2.VersionRequest{})
	p.refusedRPC(err, "calls-per-minute")
	if a := other.ask(http.MethodGet, "/api/v2/version", ""); a.code != http.StatusOK {
		p.Errorf("another caller is answered %d: %s", a.code, trimmed(a.text))
	}
	if p.target.wholeCluster && p.target.component == "traefik" {
		p.fromElsewhere()
	}
	p.Logf("refused after %d calls of the version", n)
}
