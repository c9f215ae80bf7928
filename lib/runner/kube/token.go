package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	"k8s.io/client-go/rest"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Tokens asks the cluster who bears a token. That takes a role of the whole cluster: to create tokenreviews.
type Tokens struct {
	audience string
	accounts string // what the name of an account begins with
	reviews  authenticationclient.TokenReviewInterface
}

// NewTokens returns a Tokens for those made out to an audience and borne by service accounts of a namespace: any pod
// can have one made out to any audience, as the account that it runs as. It makes no network call.
func NewTokens(config *rest.Config, audience, namespace string) (*Tokens, error) {
	if audience == "" || namespace == "" {
		return nil, errors.New("kube: tokens are made out to an audience, and borne by accounts of a namespace")
	}
	client, err := authenticationclient.NewForConfig(tuned(config))
	if err != nil {
		return nil, fmt.Errorf("kube: %w", err)
	}
	return &Tokens{audience: audience, accounts: "system:serviceaccount:" + namespace + ":", reviews: client.TokenReviews()}, nil
}

// Subject returns the service account that a token belongs to; job.WrongSecret if the token is not one of those, and job.Unavailable
// if the cluster cannot be asked.
func (t *Tokens) Subject(ctx context.Context, token string) (string, error) {
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: []string{t.audience}}}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	judged, err := t.reviews.Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return "", job.Errorf(job.Unavailable, "the cluster cannot check the token").Because(err)
	}
	// An authenticator that knows nothing of audiences answers without one.
	if !judged.Status.Authenticated || !slices.Contains(judged.Status.Audiences, t.audience) {
		return "", job.Errorf(job.WrongSecret, "the token is not valid for the audience %q in this cluster", t.audience)
	}
	account := judged.Status.User.Username
	if !strings.HasPrefix(account, t.accounts) {
		return "", job.Errorf(job.WrongSecret, "%s may not send events", account)
	}
	return account, nil
}
