package kube_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/kube"
)

// TestTokens checks that a token is accepted only if the cluster confirms it for our audience and an account of the namespace.
func TestTokens(t *testing.T) {
	t.Parallel()
	us, others := []string{"bakta-web"}, []string{"https://kubernetes.default.svc"}
	account := func(name string) authenticationv1.UserInfo { return authenticationv1.UserInfo{Username: name} }
	source, other := account("system:serviceaccount:bakta:oidc"), account("system:serviceaccount:bakta-2:oidc")
	type status = authenticationv1.TokenReviewStatus
	for what, row := range map[string]struct {
		code   int
		status status
		want   job.Code
	}{
		"good":                {201, status{Authenticated: true, Audiences: us, User: source}, ""},
		"unknown":             {201, status{Error: "it has expired"}, job.WrongSecret},
		"another audience":    {201, status{Authenticated: true, Audiences: others, User: source}, job.WrongSecret},
		"no audience":         {201, status{Authenticated: true, User: source}, job.WrongSecret},
		"another namespace":   {201, status{Authenticated: true, Audiences: us, User: other}, job.WrongSecret},
		"a person":            {201, status{Authenticated: true, Audiences: us, User: account("admin")}, job.WrongSecret},
		"the cluster is down": {503, status{}, job.Unavailable},
		"no permission":       {403, status{}, job.Unavailable},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/apis/authentication.k8s.io/v1/tokenreviews" {
					t.Errorf("called %s", r.URL.Path)
				}
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(row.code)
				if row.code/100 == 2 {
					_ = json.NewEncoder(w).Encode(authenticationv1.TokenReview{
						TypeMeta: metav1.TypeMeta{Kind: "TokenReview", APIVersion: "authentication.k8s.io/v1"}, Status: row.status,
					})
				}
			}))
			t.Cleanup(server.Close)
			tokens, err := kube.NewTokens(&rest.Config{Host: server.URL}, "bakta-web", "bakta")
			if err != nil {
				t.Fatal(err)
			}
			subject, err := tokens.Subject(t.Context(), "x")
			if job.CodeOf(err) != row.want || (err == nil) != (row.want == "") || (err == nil) != (subject == "system:serviceaccount:bakta:oidc") {
				t.Errorf("it is judged %q, %v", subject, err)
			}
		})
	}
}
