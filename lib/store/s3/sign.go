package s3

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// signer signs links as the minio client does, in a tenth of its time: that builds a request for each link, and derives the key of the day
// again. Each new job has several links.
type signer struct {
	scheme, host string
	path         string // before the key
	access       string
	secret       string
	scope        string // of signatures, without the day

	mutex sync.Mutex
	last  moment
}

// moment is what all links of a second have in common.
type moment struct {
	unix      int64
	date, day string
	query     string // up to the date
	key       []byte // of the day
}

const (
	algorithm = "AWS4-HMAC-SHA256"
	minLink   = time.Second
	maxLink   = 7 * 24 * time.Hour
)

// newSigner returns a signer of links to a bucket, as the client would make them. It makes no network call.
func newSigner(c *minio.Client, o Options) (*signer, error) {
	const key = "key"
	link, err := c.PresignedPutObject(context.Background(), o.Bucket, key, minLink)
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	return &signer{
		scheme: link.Scheme, host: link.Host, path: strings.TrimSuffix(link.EscapedPath(), key),
		access: o.AccessKey, secret: o.SecretKey, scope: "/" + o.Region + "/s3/aws4_request",
	}, nil
}

// link returns a link to an object, with further parameters, for ttl from now on.
func (s *signer) link(method, object string, parameters url.Values, ttl time.Duration, now time.Time) (string, error) {
	if ttl < minLink || ttl > maxLink {
		return "", fmt.Errorf("a link can live from %s to %s", minLink, maxLink)
	}
	m := s.at(now)
	path := s.path + encoded(object)
	query := m.query + "&X-Amz-Expires=" + strconv.FormatInt(int64(ttl/time.Second), 10) + "&X-Amz-SignedHeaders=host"
	if len(parameters) > 0 { // in lower case, so they follow
		query += "&" + spaced(parameters.Encode())
	}
	request := sha256.Sum256([]byte(method + "\n" + path + "\n" + query + "\nhost:" + s.host + "\n\nhost\nUNSIGNED-PAYLOAD"))
	signature := sum(m.key, algorithm+"\n"+m.date+"\n"+m.day+s.scope+"\n"+hex.EncodeToString(request[:]))
	return s.scheme + "://" + s.host + path + "?" + query + "&X-Amz-Signature=" + hex.EncodeToString(signature), nil
}

// at returns what the links of a second have in common.
func (s *signer) at(now time.Time) moment {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.last.key != nil && s.last.unix == now.Unix() {
		return s.last
	}
	m := moment{unix: now.Unix(), date: now.UTC().Format("20060102T150405Z"), key: s.last.key}
	m.day = m.date[:len("20060102")]
	m.query = "X-Amz-Algorithm=" + algorithm + "&X-Amz-Credential=" + spaced(url.QueryEscape(s.access+"/"+m.day+s.scope)) +
		"&X-Amz-Date=" + m.date // in the order of their names
	if m.day != s.last.day {
		m.key = sum([]byte("AWS4"+s.secret), m.day)
		for part := range strings.SplitSeq(strings.TrimPrefix(s.scope, "/"), "/") {
			m.key = sum(m.key, part)
		}
	}
	s.last = m
	return m
}

// spaced returns a part of a query that has spaces as signatures have them.
func spaced(query string) string { return strings.ReplaceAll(query, "+", "%20") }

// encoded returns a key as paths have it.
func encoded(object string) string {
	for _, c := range []byte(object) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("/-_.~", rune(c)) {
			return s3utils.EncodePath(object)
		}
	}
	return object // nearly all keys
}

func sum(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
