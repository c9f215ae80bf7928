package deployment

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/ag-computational-bio/bakta-web-backend/internal/testissuer"
	"github.com/ag-computational-bio/bakta-web-backend/lib/config"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	pbv2 "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// user is a caller with a token, or without one if the token is empty.
type user struct {
	*world
	token string
}

func (u user) headers() []string {
	if u.token == "" {
		return nil
	}
	return []string{"Authorization", "Bearer " + u.token}
}

func (u user) context() context.Context {
	if u.token == "" {
		return u.Context()
	}
	return metadata.AppendToOutgoingContext(u.Context(), "authorization", "Bearer "+u.token)
}

// call calls by REST, and reads the answer unless into is nil.
func (u user) call(method, path, body string, want int, into any) string {
	u.Helper()
	answer := u.do(method, path, body, want, u.headers()...)
	if into != nil {
		must(u, json.Unmarshal([]byte(answer), into))
	}
	return answer
}

// make makes a job each way, in this order.
func (u user) make() (made []created) {
	u.Helper()
	var first struct {
		Job struct{ JobID, Secret string }
	}
	u.call(http.MethodPost, "/api/v1/job/init", `{"name":"by v1"}`, http.StatusOK, &first)
	made = append(made, created{first.Job.JobID, first.Job.Secret})
	var second struct {
		Job struct {
			ID     string `json:"job_id"`
			Secret string `json:"secret"`
		} `json:"job"`
	}
	u.call(http.MethodPost, "/api/v2/job/init", `{"name":"by v2","workflow_kind":"bakta"}`, http.StatusOK, &second)
	made = append(made, created{second.Job.ID, second.Job.Secret})
	third, err := u.api.InitJob(u.context(), &pb.InitJobRequest{Name: "by v1 and gRPC"})
	must(u, err)
	made = append(made, created{third.GetJob().GetJobID(), third.GetJob().GetSecret()})
	fourth, err := pbv2.NewBaktaJobsClient(u.conn).InitJob(u.context(), &pbv2.InitJobRequest{
		Name: "by v2 and gRPC", WorkflowKind: pbv2.WorkflowKind_WORKFLOW_KIND_BAKTA})
	must(u, err)
	made = append(made, created{fourth.GetJob().GetJobId(), fourth.GetJob().GetSecret()})
	for _, c := range made {
		u.secret(c.secret)
	}
	return made
}

// own lists the user's own jobs.
func (u user) own(query string) (ids []string, next string) {
	u.Helper()
	var list struct {
		Jobs []struct {
			ID string `json:"job_id"`
		} `json:"jobs"`
		Next string `json:"next_page_token"`
	}
	answer := u.call(http.MethodGet, "/api/v2/jobs?"+query, "", http.StatusOK, &list)
	for _, secret := range append(u.secrets, "secret") {
		if strings.Contains(answer, secret) {
			u.Errorf("the list has a secret: %s", answer)
		}
	}
	for _, j := range list.Jobs {
		ids = append(ids, j.ID)
	}
	return ids, list.Next
}

// opens reports, for each way, whether the user may see a job with that secret. "missing" stands for a job that does not exist.
func (u user) opens(id, secret string) (by map[string]string) {
	u.Helper()
	by = make(map[string]string)
	words := func(listed, unauthorized bool) string {
		switch {
		case listed:
			return "yes"
		case unauthorized:
			return "no"
		}
		return "missing"
	}
	v1 := u.do(http.MethodPost, "/api/v1/job/list", fmt.Sprintf(`{"jobs":[{"jobID":%q,"secret":%q}]}`, id, secret), 200, u.headers()...)
	by["v1"] = words(strings.Contains(v1, `"failedJobs":[]`), strings.Contains(v1, "UNAUTHORIZED"))
	v2 := u.do(http.MethodPost, "/api/v2/job/list", fmt.Sprintf(`{"jobs":[{"job_id":%q,"secret":%q}]}`, id, secret), 200, u.headers()...)
	by["v2"] = words(strings.Contains(v2, `"failed_jobs":[]`), strings.Contains(v2, "unauthorized"))
	list, err := u.api.JobsStatus(u.context(), &pb.JobStatusRequestList{Jobs: []*pb.JobAuth{{JobID: id, Secret: secret}}})
	must(u, err)
	by["gRPC v1"] = words(len(list.GetJobs()) == 1, strings.Contains(fmt.Sprint(list.GetFailedJobs()), "UNAUTHORIZED"))
	_, err = pbv2.NewBaktaJobsClient(u.conn).JobState(u.context(), &pbv2.JobStateRequest{JobId: id, Secret: secret})
	by["gRPC v2"] = words(err == nil, status.Code(err) == codes.Unauthenticated)
	return by
}

func (u user) check(what, id, secret, want string) {
	u.Helper()
	for way, got := range u.opens(id, secret) {
		if got != want {
			u.Errorf("%s: %s by %s, want %s", what, got, way, want)
		}
	}
}

// TestLimitsOfOwners: the owner of a token is one caller, whatever it calls by, and another one than its network.
func TestLimitsOfOwners(t *testing.T) {
	t.Parallel()
	i := testissuer.Start(t, time.Hour)
	w := newWorld(t, false, func(c *config.Config) {
		c.Limits = config.Default().Limits
		c.Limits.Caller.Unstarted = 4
		c.Access.Issuer, c.Access.Audience = i.URL, testissuer.Client
	})
	first, second := i.Login(testissuer.Client, "ada"), i.Login(testissuer.Client, "ada")
	ada, again, anyone := user{w, first.ID}, user{w, second.ID}, user{w, ""}
	w.secret(ada.token, again.token)

	hers := ada.make() // as many as are allowed
	for _, u := range []user{ada, again} {
		text := u.call(http.MethodPost, "/api/v2/job/init", `{"workflow_kind":"bakta"}`, http.StatusTooManyRequests, nil)
		if !strings.Contains(text, "unstarted-jobs") {
			t.Errorf("the fifth job is refused by %s", text)
		}
	}
	user{w, "no.valid.token"}.call(http.MethodPost, "/api/v2/job/init", `{"workflow_kind":"bakta"}`, http.StatusUnauthorized, nil)
	if ids, _ := ada.own(""); len(ids) != len(hers) {
		t.Errorf("ada has %d jobs, want %d", len(ids), len(hers))
	}
	user{w, i.Login(testissuer.Client, "ben").ID}.make()
	anyone.make()
	// What the owner deletes without its secret leaves a place.
	ada.call(http.MethodPost, "/api/v2/job/delete", fmt.Sprintf(`{"job_id":%q}`, hers[0].id), http.StatusOK, nil)
	again.call(http.MethodPost, "/api/v2/job/init", `{"workflow_kind":"bakta"}`, http.StatusOK, nil)
	if ids, _ := again.own(""); len(ids) != len(hers) || slices.Contains(ids, hers[0].id) {
		t.Errorf("ada's jobs are %v", ids)
	}
}

// TestAccess: with a real issuer, a job that is made with a token belongs to its subject, in both versions and by gRPC. Calls without a
// token are served as ever.
func TestAccess(t *testing.T) {
	t.Parallel()
	i := testissuer.Start(t, time.Hour)
	w := newWorld(t, false, func(c *config.Config) {
		c.Limits = config.Default().Limits
		c.Access.Issuer, c.Access.Audience, c.Access.ClientID = i.URL, testissuer.Client, testissuer.Client
	})
	ada, ben, anyone := user{w, i.Login(testissuer.Client, "ada").ID}, user{w, i.Login(testissuer.Client, "ben").Access}, user{w, ""}
	w.secret(ada.token, ben.token)

	hers, his, free := ada.make(), ben.make(), anyone.make()
	ids, next := ada.own("")
	slices.Reverse(ids)
	if !slices.Equal(ids, idsOf(hers)) || next != "" {
		t.Errorf("ada's jobs are %v, want %v", ids, hers)
	}
	grpcList, err := pbv2.NewBaktaJobsClient(w.conn).ListJobs(ben.context(), &pbv2.ListJobsRequest{PageSize: 3})
	if err != nil || len(grpcList.GetJobs()) != 3 || grpcList.GetNextPageToken() == "" || grpcList.GetJobs()[0].GetJobId() != his[3].id {
		t.Errorf("ben's jobs are %v, %v", grpcList, err)
	}
	for query, want := range map[string][]string{
		"name=by+v1": {hers[2].id, hers[0].id}, "name=BY": nil, "name=by+v1&page_size=1": {hers[2].id},
		"state=init&workflow=bakta&name=by+v2+": {hers[3].id},
		"state=running":                         nil, "workflow=baktfold": nil,
	} {
		if got, next := ada.own(query); !slices.Equal(got, want) || (next != "") != strings.Contains(query, "page_size") {
			t.Errorf("?%s: %v, want %v", query, got, want)
		}
	}
	_, next = ada.own("page_size=3")
	if rest, end := ada.own("page_size=3&page_token=" + next); !slices.Equal(rest, []string{hers[0].id}) || end != "" {
		t.Errorf("the second page is %v, and then %q", rest, end)
	}
	anyone.call(http.MethodGet, "/api/v2/jobs", "", http.StatusUnauthorized, nil)
	ada.call(http.MethodGet, "/api/v2/jobs?page_token=x", "", http.StatusBadRequest, nil)
	ada.call(http.MethodGet, "/api/v2/jobs?page_size=-1", "", http.StatusBadRequest, nil)
	ada.call(http.MethodGet, "/api/v2/jobs?state=odd", "", http.StatusBadRequest, nil)

	const unknown = "00000000-0000-4000-8000-000000000000"
	for n := range hers {
		ada.check("the owner", hers[n].id, "", "yes")
		ada.check("the owner with another secret", hers[n].id, "x", "yes")
		ben.check("another", hers[n].id, "", "no")
		ben.check("another with the secret", hers[n].id, hers[n].secret, "yes")
		anyone.check("anyone", hers[n].id, "", "no")
		anyone.check("anyone with the secret", hers[n].id, hers[n].secret, "yes")
		ada.check("the secret of a job without an owner", free[n].id, free[n].secret, "yes")
		ada.check("a job without an owner", free[n].id, "", "no")
	}
	for _, u := range []user{ada, ben, anyone} {
		u.check("no job", unknown, "", "missing")
	}

	w.lifeOfOwned(ada, ben)
	w.badTokens(i, hers[0])

	i.SetAway(true)
	fresh := testissuer.Start(t, time.Hour) // of another issuer: no call of ours needs it
	user{w, fresh.Login(testissuer.Client, "ada").ID}.call(http.MethodPost, "/api/v1/job/list", "{}", http.StatusUnauthorized, nil)
	anyone.check("without a token, while the issuer is down", free[0].id, free[0].secret, "yes")
	i.SetAway(false)

	text := strings.Join(w.log.lines(), "\n")
	for _, secret := range w.secrets {
		if strings.Contains(text, secret) {
			t.Errorf("the log has the secret %s", secret)
		}
	}
}

func idsOf(jobs []created) (ids []string) {
	for _, j := range jobs {
		ids = append(ids, j.id)
	}
	return ids
}

// lifeOfOwned takes a job through its life without its secret.
func (w *world) lifeOfOwned(ada, ben user) {
	var made struct {
		Job struct {
			ID string `json:"job_id"`
		} `json:"job"`
		Uploads []struct{ URL string }
	}
	ada.call(http.MethodPost, "/api/v2/job/init", `{"workflow_kind":"bakta"}`, http.StatusOK, &made)
	id := made.Job.ID
	w.upload(made.Uploads[0].URL)
	start := fmt.Sprintf(`{"job":{"job_id":%q},"workflow_kind":"bakta","config":{}}`, id)
	ben.call(http.MethodPost, "/api/v2/job/start", start, http.StatusUnauthorized, nil)
	ada.call(http.MethodPost, "/api/v2/job/start", start, http.StatusOK, nil)
	w.runs.end(id, nil)
	w.updated(id)

	again := fmt.Sprintf(`{"job":{"job_id":%q},"request_key":"0123456789abcdef"}`, id)
	ben.call(http.MethodPost, "/api/v2/job/rerun", again, http.StatusUnauthorized, nil)
	first := ada.call(http.MethodPost, "/api/v2/job/rerun", again, http.StatusOK, &made)
	if second := ada.call(http.MethodPost, "/api/v2/job/rerun", again, http.StatusOK, nil); second != first || made.Job.ID == id {
		w.Errorf("a repeated rerun is another job: %s, %s", first, second)
	}
	// A secret that is wrong, and so no secret to derive another one from, is as none.
	wrong := strings.Replace(again, `"}`, `","secret":"x"}`, 1)
	if third := ada.call(http.MethodPost, "/api/v2/job/rerun", wrong, http.StatusOK, nil); third != first {
		w.Errorf("a rerun with a wrong secret is another job: %s, %s", first, third)
	}
	if ids, _ := ada.own("page_size=2"); !slices.Equal(ids, []string{made.Job.ID, id}) {
		w.Errorf("the last jobs are %v, want %s and %s", ids, made.Job.ID, id)
	}
	for _, row := range []struct{ method, path, body string }{
		{http.MethodGet, "/api/v2/job/status?job_id=" + id, ""},
		{http.MethodGet, "/api/v2/job/status?secret=&job_id=" + id, ""},
		{http.MethodGet, "/api/v2/job/logs?job_id=" + id, ""},
		{http.MethodGet, "/api/v1/job/logs?jobID=" + id, ""},
		{http.MethodPost, "/api/v2/job/result", fmt.Sprintf(`{"job_id":%q}`, id)},
		{http.MethodPost, "/api/v1/job/result", fmt.Sprintf(`{"jobID":%q,"secret":""}`, id)},
		{http.MethodDelete, "/api/v2/job/delete?job_id=" + id, ""},
		{http.MethodDelete, "/api/v1/delete?jobID=" + made.Job.ID, ""},
	} {
		ben.call(row.method, row.path, row.body, http.StatusUnauthorized, nil)
		ada.call(row.method, row.path, row.body, http.StatusOK, nil)
	}
	ada.call(http.MethodDelete, "/api/v2/job/delete?job_id="+id, "", http.StatusOK, nil) // it is gone
	ada.check("a deleted job", id, "", "missing")
	if ids, _ := ada.own("page_size=1"); slices.Contains(ids, id) || slices.Contains(ids, made.Job.ID) {
		w.Errorf("a deleted job is listed: %v", ids)
	}
}

// updated waits until the end of a job is recorded.
func (w *world) updated(id string) {
	w.Helper()
	if _, err := w.updates.UpdateStatus(w.Context(), &pb.UpdateStatusRequest{JobID: id}); err != nil {
		w.Fatal(err)
	}
	if j, err := w.jobs.Get(w.Context(), id); err != nil || j.State != job.Succeeded {
		w.Fatalf("the job is %s, %v", j.State, err)
	}
}

// badTokens calls with tokens that are not valid: no call is served, even if its secret is right.
func (w *world) badTokens(i *testissuer.Issuer, j created) {
	i.SetClock(-3 * time.Hour)
	expired := i.Login(testissuer.Client, "ada").ID
	i.SetClock(0)
	other := testissuer.Start(w.TB, time.Hour)
	for token, message := range map[string]string{
		expired: "the token expired at ",
		i.Login(testissuer.OtherClient, "ada").ID:   "another audience",
		other.Login(testissuer.Client, "ada").ID:    "not a signed JSON Web Token of the issuer",
		i.Login(testissuer.Client, "ada").ID + "AA": "",
		"x": "not a signed JSON Web Token of the issuer",
	} {
		u := user{w, token}
		for _, row := range []struct{ method, path, body string }{
			{http.MethodPost, "/api/v1/job/list", fmt.Sprintf(`{"jobs":[%s]}`, j.auth())},
			{http.MethodPost, "/api/v1/job/init", "{}"},
			{http.MethodPost, "/api/v2/job/list", fmt.Sprintf(`{"jobs":[{"job_id":%q,"secret":%q}]}`, j.id, j.secret)},
			{http.MethodGet, "/api/v2/jobs", ""},
			{http.MethodGet, "/api/v2/version", ""},
		} {
			if answer := u.call(row.method, row.path, row.body, http.StatusUnauthorized, nil); !strings.Contains(answer, message) {
				w.Errorf("%s is answered %s, want %q", row.path, answer, message)
			}
		}
		_, err := w.api.Version(u.context(), &pb.Empty{})
		if status.Code(err) != codes.Unauthenticated || !strings.Contains(err.Error(), message) {
			w.Errorf("gRPC: %v", err)
		}
	}
}

// TestAccessRequired: where tokens are required, a job can be used by its owner alone, and a group may be required, too.
func TestAccessRequired(t *testing.T) {
	t.Parallel()
	i := testissuer.Start(t, time.Hour)
	w := newWorld(t, false, func(c *config.Config) {
		c.Limits = config.Default().Limits
		c.Access.Issuer, c.Access.Audience, c.Access.Required = i.URL, testissuer.Client, true
		c.Access.GroupsClaim, c.Access.Groups = "groups", []string{"annotators", "guests"}
	})
	ada, ben := user{w, i.Login(testissuer.Client, "ada", "groups").ID}, user{w, i.Login(testissuer.Client, "ben", "groups").ID}
	cleo, anyone := user{w, i.Login(testissuer.Client, "cleo", "groups").ID}, user{w, ""}

	// While the issuer is down, nobody can be identified, and the answer says so.
	i.SetAway(true)
	if answer := ada.call(http.MethodGet, "/api/v2/jobs", "", http.StatusServiceUnavailable, nil); !strings.Contains(answer, "issuer") {
		t.Errorf("without the issuer: %s", answer)
	}
	if _, err := w.api.Version(ada.context(), &pb.Empty{}); status.Code(err) != codes.Unavailable {
		t.Errorf("without the issuer, gRPC: %v", err)
	}
	i.SetAway(false)

	hers := ada.make()
	for _, j := range hers {
		ada.check("the owner", j.id, "", "yes")
		ben.check("another", j.id, "", "no")
		ben.check("another with the secret", j.id, j.secret, "no")
	}
	for _, path := range []string{"/api/v2/version", "/api/v2/workflows", "/api/v2/options", "/api/v2/access", "/api/v1/version", "/healthz"} {
		anyone.call(http.MethodGet, path, "", http.StatusOK, nil)
	}
	body := fmt.Sprintf(`{"jobs":[%s]}`, hers[0].auth())
	for _, path := range []string{"/api/v1/job/list", "/api/v1/job/init", "/api/v2/job/list", "/api/v2/job/init"} {
		if path == "/api/v2/job/init" {
			body = `{"workflow_kind":"bakta"}`
		}
		anyone.call(http.MethodPost, path, body, http.StatusUnauthorized, nil)
		cleo.call(http.MethodPost, path, body, http.StatusForbidden, nil)
	}
	if _, err := w.api.JobsStatus(anyone.context(), &pb.JobStatusRequestList{}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("gRPC without a token: %v", err)
	}
	if _, err := w.api.JobsStatus(cleo.context(), &pb.JobStatusRequestList{}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("gRPC without a group: %v", err)
	}
	// The containers of jobs have no token.
	if _, err := w.updates.UpdateStatus(t.Context(), &pb.UpdateStatusRequest{JobID: hers[0].id}); err != nil {
		t.Errorf("a hint: %v", err)
	}
	i.Rotate()
	user{w, i.Login(testissuer.Client, "ada", "groups").ID}.check("the owner, by new keys", hers[0].id, "", "yes")
}
