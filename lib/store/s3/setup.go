package s3

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/cors"
	"github.com/minio/minio-go/v7/pkg/lifecycle"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// CORSError says that browsers' scripts can't use the links, since the store does not take a bucket's rules for
// that by its API. Everything else works. The store's operator has to allow it in the store's own way.
type CORSError struct {
	Bucket  string
	Origins []string
	cause   error
}

// Error says what to do.
func (e *CORSError) Error() string {
	return fmt.Sprintf("the store does not take CORS rules for bucket %s: allow GET, HEAD and PUT with any header "+
		"from the origins %q in the store's own configuration, or browsers can neither upload nor show results: %v",
		e.Bucket, e.Origins, e.cause)
}

// Unwrap returns what the store answered.
func (e *CORSError) Unwrap() error { return e.cause }

// ruleID marks our rule among those that an operator may have made.
const ruleID = "bakta-web"

// abandonedAfter is how many days after its beginning an upload in parts is given up by the store. None takes hours.
const abandonedAfter = 2

// Setup makes the bucket if it is missing, has the store remove the parts of uploads that were abandoned, where it
// can, and lets scripts of the configured origins use links to it. It can be repeated. It belongs to the deployment; functions never call it. A *CORSError is a warning: see there.
func (s *Store) Setup(ctx context.Context) error {
	if err := s.setupBucket(ctx); err != nil {
		return failed("making bucket "+s.options.Bucket, err)
	}
	if err := s.setupLifecycle(ctx); err != nil {
		return failed("setting the lifecycle of bucket "+s.options.Bucket, err)
	}
	err := s.setupCORS(ctx)
	if c := status(err); c == http.StatusNotImplemented || c == http.StatusMethodNotAllowed {
		return &CORSError{Bucket: s.options.Bucket, Origins: s.origins(), cause: err}
	}
	return failed("setting the CORS rules of bucket "+s.options.Bucket, err)
}

func (s *Store) setupBucket(ctx context.Context) error {
	there, err := s.inside.BucketExists(ctx, s.options.Bucket)
	if err != nil || there {
		return err
	}
	err = s.inside.MakeBucket(ctx, s.options.Bucket, minio.MakeBucketOptions{Region: s.options.Region})
	if status(err) == http.StatusConflict {
		// Another set-up may have made it in between.
		if there, existsErr := s.inside.BucketExists(ctx, s.options.Bucket); existsErr == nil && there {
			return nil
		}
	}
	return err
}

// setupLifecycle makes the rule by which parts go that a killed process left. Without it they go with their job, see
// RemovePrefix, so it succeeds when the store does not support such rules or does not permit them. A bucket that has
// rules of its operator's is left alone: there is one set of rules, and what we don't know in it would be lost.
func (s *Store) setupLifecycle(ctx context.Context) error {
	want := lifecycle.Rule{
		ID: ruleID, Status: "Enabled", RuleFilter: lifecycle.Filter{Prefix: s.base + job.AllPrefix},
		AbortIncompleteMultipartUpload: lifecycle.AbortIncompleteMultipartUpload{DaysAfterInitiation: abandonedAfter},
	}
	is, err := s.inside.GetBucketLifecycle(ctx, s.options.Bucket)
	switch code := status(err); {
	case code == http.StatusNotFound:
		// None were made yet.
	case code != 0 && code < http.StatusInternalServerError || code == http.StatusNotImplemented:
		return nil
	case err != nil:
		return err
	case slices.ContainsFunc(is.Rules, func(r lifecycle.Rule) bool { return r.ID != ruleID }):
		return nil
	case len(is.Rules) == 1 && is.Rules[0].RuleFilter.Prefix == want.RuleFilter.Prefix &&
		is.Rules[0].AbortIncompleteMultipartUpload.DaysAfterInitiation == abandonedAfter:
		return nil
	}
	rules := lifecycle.NewConfiguration()
	rules.Rules = []lifecycle.Rule{want}
	err = s.inside.SetBucketLifecycle(ctx, s.options.Bucket, rules)
	if code := status(err); code != 0 && code < http.StatusInternalServerError || code == http.StatusNotImplemented {
		return nil
	}
	return err
}

func (s *Store) setupCORS(ctx context.Context) error {
	rule := cors.Rule{
		ID:            ruleID,
		AllowedOrigin: s.origins(),
		AllowedMethod: []string{http.MethodGet, http.MethodHead, http.MethodPut},
		AllowedHeader: []string{"*"},
		ExposeHeader:  []string{"ETag", "Content-Length", "Content-Range", "Content-Disposition"},
		MaxAgeSeconds: 3600,
	}
	is, err := s.inside.GetBucketCors(ctx, s.options.Bucket)
	if err != nil {
		return err
	}
	rules := []cors.Rule{rule}
	if is != nil {
		if slices.ContainsFunc(is.CORSRules, func(r cors.Rule) bool { return reflect.DeepEqual(r, rule) }) {
			return nil
		}
		for _, r := range is.CORSRules {
			if r.ID != ruleID {
				rules = append(rules, r)
			}
		}
	}
	return s.inside.SetBucketCors(ctx, s.options.Bucket, cors.NewConfig(rules))
}

func (s *Store) origins() []string {
	if len(s.options.Origins) == 0 {
		return []string{"*"}
	}
	return s.options.Origins
}
