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

// CORSError means that scripts in browsers may be unable to use the links, because the store does not accept CORS rules by its API, or
// not with these credentials. Everything else works. The operator has to configure CORS in the store's own way.
type CORSError struct {
	Bucket  string
	Origins []string
	cause   error
}

// Error returns what the operator has to do.
func (e *CORSError) Error() string {
	return fmt.Sprintf("the store does not take CORS rules for bucket %s from these credentials: allow GET, HEAD and PUT with any header "+
		"from the origins %q in the store's own configuration, or browsers can neither upload nor show results: %v",
		e.Bucket, e.Origins, e.cause)
}

// Unwrap returns the store's answer.
func (e *CORSError) Unwrap() error { return e.cause }

// ruleID marks our rule among those of an operator.
const ruleID = "bakta-web"

// abandonedAfter is how many days after its beginning the store aborts an upload in parts. None takes longer than some hours.
const abandonedAfter = 2

// Setup creates the bucket if it is missing, adds a rule by which the store removes the parts of abandoned uploads, if it supports
// that, and allows scripts of the configured origins to use links. It can be repeated. The deployment calls it, and the functions
// never do. A *CORSError is a warning.
func (s *Store) Setup(ctx context.Context) error {
	if err := s.setupBucket(ctx); err != nil {
		return failed("making bucket "+s.options.Bucket, err)
	}
	if err := s.setupLifecycle(ctx); err != nil {
		return failed("setting the lifecycle of bucket "+s.options.Bucket, err)
	}
	err := s.setupCORS(ctx)
	if refused(err) {
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
		// A concurrent Setup may have created it in between.
		if there, existsErr := s.inside.BucketExists(ctx, s.options.Bucket); existsErr == nil && there {
			return nil
		}
	}
	return err
}

// setupLifecycle adds the rule that removes parts that a killed process has left. Without it, RemovePrefix removes them with
// their job, so setupLifecycle succeeds if the store does not support or permit such rules. It does not change a bucket with
// rules of its operator: it could only replace the whole set, and would lose what it does not understand.
func (s *Store) setupLifecycle(ctx context.Context) error {
	want := lifecycle.Rule{
		ID: ruleID, Status: "Enabled", RuleFilter: lifecycle.Filter{Prefix: s.base + job.AllPrefix},
		AbortIncompleteMultipartUpload: lifecycle.AbortIncompleteMultipartUpload{DaysAfterInitiation: abandonedAfter},
	}
	is, err := s.inside.GetBucketLifecycle(ctx, s.options.Bucket)
	switch code := status(err); {
	case code == http.StatusNotFound:
		// There are no rules yet.
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
