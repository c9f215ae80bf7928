//go:build e2e

package backend_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A job notifies a webhook beside the cluster, from the function's pod, at the second attempt.
func TestWebhook(t *testing.T) {
	s := newSuite(t)
	var received atomic.Int32
	receiver := s.receiver(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || !strings.Contains(string(body), `"type":"org.bakta.job.succeeded"`) ||
			!strings.HasPrefix(r.Header.Get("Webhook-Signature"), "v1,") {
			t.Errorf("the message is %s, %v, %v", body, r.Header, err)
		}
		if received.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	var made created
	s.must(s.postV2(t.Context(), "/api/v2/job/init", map[string]string{"workflow_kind": "bakta", "name": "a test"}, &made))
	s.must(made.upload(t.Context()))
	r := made.ref()
	var answer struct {
		Key string `json:"notify_key"`
	}
	s.must(s.postV2(t.Context(), "/api/v2/job/submit", map[string]any{
		"job": map[string]string{"job_id": r.ID, "secret": r.Secret}, "workflow_kind": "bakta",
		"config": map[string]string{"strain": "fine"}, "notify": map[string]string{"webhook": receiver + "/hook"},
	}, &answer))
	if !strings.HasPrefix(answer.Key, "whsec_") {
		t.Errorf("the key is %q", answer.Key)
	}
	s.becomes(r, "SUCCESSFUL")
	s.wait("the message to be delivered", func(ctx context.Context) error {
		var stored struct {
			Deliveries []struct {
				State    string `bson:"state"`
				Attempts int    `bson:"attempts"`
				Error    string `bson:"error"`
			} `bson:"deliveries"`
		}
		if err := s.database.Collection("annotationJobs").FindOne(ctx, map[string]string{"_id": r.ID}).Decode(&stored); err != nil {
			return err
		}
		if len(stored.Deliveries) != 2 || stored.Deliveries[0].State != "delivered" || stored.Deliveries[0].Attempts < 2 {
			return fmt.Errorf("the deliveries are %+v", stored.Deliveries)
		}
		return nil
	})
	s.atZero("notify")
}

// receiver starts a receiver of webhooks on this machine, and deploys so that the function notify reaches it, until the test ends.
func (s suite) receiver(handle http.HandlerFunc) (url string) {
	s.Helper()
	host := net.ParseIP(s.target.mongo.Hostname())
	if !s.target.gates || host == nil {
		s.Skip("NOT TESTED: pods can't reach a receiver on this machine")
	}
	url, authority := receiverAt(s.T, host, handle)
	pemText, err := json.Marshal(authority)
	s.must(err)
	s.varyBy(fmt.Sprintf(`patches:
  - target: {kind: ConfigMap, name: bakta-web}
    patch: |
      [{"op": "add", "path": "/data/receivers.pem", "value": %s}]
  - target: {kind: NetworkPolicy, name: notify}
    patch: |
      [{"op": "add", "path": "/spec/egress/-", "value": {"to": [{"ipBlock": {"cidr": "%s/32"}}, {"ipBlock": {"cidr": "127.0.0.1/32"}}]}}]
`, pemText, host), func(config string) string {
		return strings.Replace(config, "Notify:\n", "Notify:\n  AllowNetworks: ["+host.String()+"]\n  CAFile: /config/receivers.pem\n", 1)
	})
	return url
}

// created is the second version's answer to the creation of a job.
type created struct {
	Job struct {
		ID     string `json:"job_id"`
		Secret string `json:"secret"`
	} `json:"job"`
	Uploads []struct {
		Kind string `json:"upload_kind"`
		URL  string `json:"url"`
	} `json:"uploads"`
}

func (c created) ref() ref { return ref{c.Job.ID, c.Job.Secret} }

// upload uploads a small genome.
func (c created) upload(ctx context.Context) error {
	for _, u := range c.Uploads {
		if u.Kind == "genome_fasta" {
			return upload(ctx, u.URL, genome)
		}
	}
	return errors.New("there is no link for a genome")
}

// postV2 makes a call of the second version.
func (w *world) postV2(ctx context.Context, path string, request, answer any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+w.target.ingress+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Host = w.target.host
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil || got.StatusCode != http.StatusOK {
		return errors.Join(err, fmt.Errorf("%s: %s %s", path, got.Status, text))
	}
	return json.Unmarshal(text, answer)
}

// receiverAt starts a TLS server on 127.0.0.1, which pods reach at the address of the host, and returns its URL and its authority.
func receiverAt(t *testing.T, host net.IP, handle http.HandlerFunc) (url, authority string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{host}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handle)
	server.Listener.Close()
	server.Listener = listener
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return "https://" + net.JoinHostPort(host.String(), port), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
