package s3

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestLinksAreThoseOfMinio compares links with those that the minio client signs.
func TestLinksAreThoseOfMinio(t *testing.T) {
	stores := make(map[string]*Store)
	for name, o := range map[string]Options{
		"by path":    {Endpoint: "http://127.0.0.1:9000"},
		"by name":    {Endpoint: "https://s3.example.org", VirtualHosted: true},
		"port":       {Endpoint: "https://s3.example.org:443", Region: "eu-central-1"},
		"public":     {Endpoint: "http://store:80", PublicEndpoint: "https://files.example.org:8443", BaseKey: "a base/ä"},
		"dotted":     {Endpoint: "https://s3.example.org", VirtualHosted: true, Bucket: "bucket.with.dots"},
		"of Amazon":  {Endpoint: "https://s3.amazonaws.com", Region: "eu-west-1", VirtualHosted: true},
		"other keys": {Endpoint: "http://127.0.0.1:9000", AccessKey: "a/b+c d", SecretKey: "s/e+c r"},
	} {
		if o.Bucket == "" {
			o.Bucket = "user-data"
		}
		if o.AccessKey == "" {
			o.AccessKey, o.SecretKey = "access", "secret"
		}
		s, err := New(o)
		if err != nil {
			t.Fatal(name, err)
		}
		stores[name] = s
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"by path", "by name", "port", "public", "dotted", "of Amazon", "other keys"}).Draw(t, "store")
		key := rapid.OneOf(rapid.StringMatching(`[a-z0-9/._-]{1,40}`), rapid.StringN(1, 40, 80)).Draw(t, "key")
		method := rapid.SampledFrom([]string{http.MethodPut, http.MethodGet}).Draw(t, "method")
		ttl := time.Duration(rapid.Int64Range(int64(minLink), int64(maxLink)).Draw(t, "ttl"))
		var parameters url.Values
		if method == http.MethodGet {
			parameters = url.Values{"response-content-disposition": {attachment(rapid.String().Draw(t, "file"))}}
		}
		s := stores[name]
		object, err := s.object(key)
		if err != nil {
			t.Skip(err)
		}
		outside, err := s.client(s.options.PublicEndpoint)
		if err != nil {
			t.Fatal(err)
		}
		want, err := outside.Presign(t.Context(), method, s.options.Bucket, object, ttl, parameters)
		if err != nil {
			t.Skip(err)
		}
		at, err := time.Parse("20060102T150405Z", want.Query().Get("X-Amz-Date"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.links.link(method, object, parameters, ttl, at)
		if err != nil || got != want.String() {
			t.Errorf("%v\n got %s\nwant %s", err, got, want)
		}
	})
	for _, ttl := range []time.Duration{0, minLink - 1, maxLink + 1} {
		if link, err := stores["by path"].links.link(http.MethodPut, "key", nil, ttl, time.Now()); err == nil {
			t.Errorf("a link for %s: %s", ttl, link)
		}
	}
}

// TestLinkOfTheNextDay: what links of a second have in common is not used for another second or day.
func TestLinkOfTheNextDay(t *testing.T) {
	o := Options{Endpoint: "http://127.0.0.1:9000", Bucket: "user", AccessKey: "access", SecretKey: "secret"}
	used, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	midnight := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	for _, after := range []time.Duration{-time.Second, -time.Millisecond, 0, time.Millisecond, time.Second, -time.Second, 24 * time.Hour} {
		at := midnight.Add(after)
		fresh, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := used.links.link(http.MethodPut, "key", nil, time.Hour, at)
		if want, err := fresh.links.link(http.MethodPut, "key", nil, time.Hour, at); err != nil || got != want {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
}
