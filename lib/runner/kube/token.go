package kube

import (
	"context"
	"errors"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/kube/apiserver"
)

// Tokens asks the cluster to which account a token belongs. This requires a ClusterRole that may create tokenreviews.
type Tokens struct {
	audience string
	accounts string // prefix of the accounts' names
	reviews  *reviewsClient
}

// NewTokens returns a Tokens that accepts tokens for an audience, of the service accounts of a namespace. The namespace is
// checked because any pod can request a token for any audience, as its own account. It makes no network call.
func NewTokens(config *rest.Config, audience, namespace string) (*Tokens, error) {
	if audience == "" || namespace == "" {
		return nil, errors.New("kube: the audience of the tokens and the namespace of their accounts are required")
	}
	reviews, err := newReviews(config)
	if err != nil {
		return nil, err
	}
	return &Tokens{audience: audience, accounts: "system:serviceaccount:" + namespace + ":", reviews: reviews}, nil
}

// Subject returns the service account of a token. The error is job.WrongSecret if the token is not accepted, and
// job.Unavailable if the cluster cannot be asked.
func (t *Tokens) Subject(ctx context.Context, token string) (string, error) {
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: []string{t.audience}}}
	ctx, cancel := context.WithTimeout(ctx, apiserver.CallTime)
	defer cancel()
	judged, err := t.reviews.Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return "", job.Errorf(job.Unavailable, "the cluster cannot check the token").Because(err)
	}
	// An authenticator that does not support audiences answers without one.
	if !judged.Status.Authenticated || !slices.Contains(judged.Status.Audiences, t.audience) {
		return "", job.Errorf(job.WrongSecret, "the token is not valid for the audience %q in this cluster", t.audience)
	}
	account := judged.Status.User.Username
	if !strings.HasPrefix(account, t.accounts) {
		return "", job.Errorf(job.WrongSecret, "%s may not send events", account)
	}
	return account, nil
}
