// Package kourier_test tests the shipped Ingress for Kourier with Kourier's own translation and a real Envoy, without a cluster.
package kourier_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	envoyserver "knative.dev/net-kourier/pkg/envoy/server"
	"knative.dev/net-kourier/pkg/generator"
	"knative.dev/net-kourier/pkg/reconciler/ingress/config"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/pkg/tracker"
	"sigs.k8s.io/yaml"
)

const (
	host    = "bakta.example.org" // in the shipped Ingress
	public  = "127.0.0.1:8080"    // Envoy's listeners
	secure  = "127.0.0.1:8443"
	private = "127.0.0.1:8081"
)

// The shipped Ingress sends each of its paths to its function by one host, by REST and gRPC, in cleartext and with TLS, and nothing else.
// Envoy and Kourier listen on fixed ports of all addresses, so the test wants a network of its own; run.sh makes one.
func TestOneHost(t *testing.T) {
	program := os.Getenv("E2E_ENVOY")
	if program == "" {
		t.Skip("NOT TESTED: E2E_ENVOY does not name the program envoy; run.sh sets it")
	}
	shipped := readIngress(t)
	at := startFunctions(t, shipped)
	roots := startEnvoy(t, program, shipped, at)

	secured := &tls.Config{RootCAs: roots, ServerName: host}
	cleartext := &http.Client{
		Transport:     &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	encrypted := &http.Client{Transport: &http.Transport{TLSClientConfig: secured, ForceAttemptHTTP2: true}}
	awaitAnswer(t, cleartext)

	calls := map[string]*grpc.ClientConn{}
	ways := map[string]credentials.TransportCredentials{public: insecure.NewCredentials(), secure: credentials.NewTLS(secured)}
	for address, how := range ways {
		conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(how), grpc.WithAuthority(host))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		calls[address] = conn
	}
	for _, path := range shipped.Spec.Rules[0].HTTP.Paths {
		want := path.Splits[0].ServiceName + " " + path.RewriteHost + " " + path.Path
		for base, client := range map[string]*http.Client{"http://" + public: cleartext, "https://" + secure: encrypted} {
			if code, got := get(t, client, base, host, path.Path); code != http.StatusOK || got != want {
				t.Errorf("GET %s%s is answered %d by %q, want %q", base, path.Path, code, got, want)
			}
		}
		if !strings.Contains(path.Path, ".proto.") {
			continue
		}
		for address, conn := range calls {
			var got wrapperspb.StringValue
			if err := conn.Invoke(t.Context(), path.Path, wrapperspb.String("x"), &got); err != nil || got.GetValue() != want {
				t.Errorf("the call of %s at %s is answered by %q, %v; want %q", path.Path, address, got.GetValue(), err, want)
			}
		}
	}
	// The functions are not reachable by their own names from outside, nor are other hosts.
	for _, name := range []string{"jobupdate.bakta.svc.cluster.local", "expire.bakta.svc.cluster.local", "expire.bakta", "example.org"} {
		if code, got := get(t, cleartext, "http://"+public, name, "/sweep"); code != http.StatusNotFound {
			t.Errorf("http://%s is answered %d by %q", name, code, got)
		}
	}
	// What the function expire has besides its calls is not reached by any spelling that it could take for it.
	for _, path := range []string{"/sweep", "//sweep", "/api-docs/../sweep", "/events"} {
		if code, got := get(t, cleartext, "http://"+public, host, path); code != http.StatusOK || !strings.HasPrefix(got, "status ") {
			t.Errorf("GET %s is answered %d by %q", path, code, got)
		}
	}
	callerAddress(t, calls[public])
}

// callerAddress checks that Kourier appends the caller's address, and then its own when the request passes it again.
func callerAddress(t *testing.T, conn *grpc.ClientConn) {
	t.Helper()
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-forwarded-for", "198.51.100.7")
	var got wrapperspb.StringValue
	if err := conn.Invoke(ctx, "/bakta.web.api.proto.v1.BaktaJobs/Version", wrapperspb.String("address"), &got); err != nil {
		t.Fatal(err)
	}
	if addresses := strings.Split(got.GetValue(), ","); len(addresses) != 3 || strings.TrimSpace(addresses[1]) != "127.0.0.1" {
		t.Errorf("X-Forwarded-For is %q, want the caller's entry and two of Kourier's", got.GetValue())
	}
}

func readIngress(t *testing.T) *v1alpha1.Ingress {
	t.Helper()
	text, err := os.ReadFile("../../../kservices/ingress/kourier/ingress.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var shipped v1alpha1.Ingress
	if err := yaml.UnmarshalStrict(text, &shipped); err != nil {
		t.Fatal(err)
	}
	if err := shipped.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	shipped.SetDefaults(t.Context())
	return &shipped
}

// startFunctions starts a server in place of each function, and returns their ports.
func startFunctions(t *testing.T, shipped *v1alpha1.Ingress) map[string]int32 {
	t.Helper()
	ports := make(map[string]int32)
	for _, path := range shipped.Spec.Rules[0].HTTP.Paths {
		name := path.Splits[0].ServiceName
		if ports[name] != 0 {
			continue
		}
		rpc := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			var asked wrapperspb.StringValue
			if err := stream.RecvMsg(&asked); err != nil {
				return err
			}
			header, _ := metadata.FromIncomingContext(stream.Context())
			method, _ := grpc.MethodFromServerStream(stream)
			answer := fmt.Sprintf("%s %s %s", name, strings.Join(header.Get(":authority"), ","), method)
			if asked.GetValue() == "address" {
				answer = strings.Join(header.Get("x-forwarded-for"), ",")
			}
			return stream.SendMsg(wrapperspb.String(answer))
		}))
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
				rpc.ServeHTTP(w, r)
				return
			}
			fmt.Fprintf(w, "%s %s %s", name, r.Host, r.URL.Path)
		}))
		server.Config.Protocols = new(http.Protocols)
		server.Config.Protocols.SetHTTP1(true)
		server.Config.Protocols.SetUnencryptedHTTP2(true)
		server.Start()
		t.Cleanup(server.Close)
		ports[name] = int32(server.Listener.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// startEnvoy has Kourier translate the shipped Ingress, with TLS, and those that Knative makes for the functions, and starts an Envoy with
// that. It returns the authority of the certificate.
func startEnvoy(t *testing.T, program string, shipped *v1alpha1.Ingress, at map[string]int32) *x509.CertPool {
	t.Helper()
	secret, roots := certificate(t)
	shipped.Spec.TLS = []v1alpha1.IngressTLS{{Hosts: []string{host}, SecretName: secret.Name, SecretNamespace: secret.Namespace}}
	settings := config.FromContextOrDefaults(t.Context())
	settings.Kourier.UseRemoteAddress = true
	ctx := config.ToContext(t.Context(), settings)
	translator := generator.NewIngressTranslator(
		func(string, string) (*corev1.Secret, error) { return secret, nil },
		func(string) ([]*corev1.ConfigMap, error) { return nil, nil },
		func(_, name string) ([]*discoveryv1.EndpointSlice, error) {
			ready, port := true, at[strings.TrimSuffix(name, "-00001")]
			return []*discoveryv1.EndpointSlice{{
				AddressType: discoveryv1.AddressTypeIPv4, // Kourier uses no other
				Endpoints: []discoveryv1.Endpoint{{
					Addresses: []string{"127.0.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
				}},
				Ports: []discoveryv1.EndpointPort{{Port: &port}},
			}}, nil
		},
		func(_, name string) (*corev1.Service, error) { return service(name, at) },
		tracker.New(func(types.NamespacedName) {}, time.Hour),
	)
	caches, err := generator.NewCaches(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, ingress := range append(privates(at), shipped) {
		ingress.SetDefaults(ctx)
		if err := generator.UpdateInfoForIngress(ctx, caches, ingress.DeepCopy(), &translator); err != nil {
			t.Fatal(err)
		}
	}
	snapshot, err := caches.ToEnvoySnapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	xds := envoyserver.NewXdsServer(18000, nil)
	if err := xds.SetSnapshot("3scale-kourier-gateway", snapshot); err != nil {
		t.Fatal(err)
	}
	go func() { _ = xds.RunManagementServer() }() // it ends with the process
	relay(t, ":80", private)                      // localhost may be ::1

	file := filepath.Join(t.TempDir(), "envoy.yaml")
	if err := os.WriteFile(file, bootstrap(t), 0o600); err != nil {
		t.Fatal(err)
	}
	envoy := exec.CommandContext(t.Context(), program, "-c", file, "--log-level", "warn", "--concurrency", "1")
	envoy.Stderr, envoy.Stdout = os.Stderr, io.Discard
	if err := envoy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = envoy.Wait() })
	return roots
}

// privates are what Knative makes for services that are private to the cluster.
func privates(at map[string]int32) (all []*v1alpha1.Ingress) {
	for name := range at {
		all = append(all, &v1alpha1.Ingress{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "bakta"},
			Spec: v1alpha1.IngressSpec{Rules: []v1alpha1.IngressRule{{
				Hosts:      []string{name + ".bakta", name + ".bakta.svc", name + ".bakta.svc.cluster.local"},
				Visibility: v1alpha1.IngressVisibilityClusterLocal,
				HTTP: &v1alpha1.HTTPIngressRuleValue{Paths: []v1alpha1.HTTPIngressPath{{Splits: []v1alpha1.IngressBackendSplit{{
					IngressBackend: v1alpha1.IngressBackend{
						ServiceNamespace: "bakta", ServiceName: name + "-00001", ServicePort: intstr.FromInt32(80),
					},
					Percent: 100,
				}}}}},
			}}},
		})
	}
	return all
}

// service is that of a function, which leads to Kourier's private side, or that of its revision.
func service(name string, at map[string]int32) (*corev1.Service, error) {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "bakta"}}
	function, revision := strings.CutSuffix(name, "-00001")
	switch {
	case at[function] == 0:
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "services"}, name)
	case revision:
		s.Spec.Ports = []corev1.ServicePort{{Name: "http2", Port: 80, TargetPort: intstr.FromInt32(at[function])}}
	default:
		s.Spec.Type, s.Spec.ExternalName = corev1.ServiceTypeExternalName, "localhost" // kourier-internal in a cluster
		s.Spec.Ports = []corev1.ServicePort{{Name: "http2", Port: 80}}
	}
	return s, nil
}

// relay passes connections on, as the Service kourier-internal does from its port 80 to Envoy's.
func relay(t *testing.T, from, to string) {
	t.Helper()
	listener, err := net.Listen("tcp", from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				near.Close()
				continue
			}
			for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
				go func() {
					defer way[0].Close()
					_, _ = io.Copy(way[0], way[1])
				}()
			}
		}
	}()
}

// bootstrap is the configuration of Envoy in Kourier's manifest, with the controller on this machine.
func bootstrap(t *testing.T) []byte {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "knative.dev/net-kourier").Output()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "config", "200-bootstrap.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var object corev1.ConfigMap
	if err := yaml.Unmarshal(text, &object); err != nil {
		t.Fatal(err)
	}
	return []byte(strings.ReplaceAll(object.Data["envoy-bootstrap.yaml"], "net-kourier-controller.knative-serving", "127.0.0.1"))
}

func certificate(t *testing.T) (*corev1.Secret, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	made, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(chain)
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "bakta-web-tls", Namespace: "bakta"},
		Data:       map[string][]byte{"tls.crt": chain, "tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})},
	}, roots
}

// awaitAnswer waits until Envoy has its configuration.
func awaitAnswer(t *testing.T, client *http.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		code, text, err := try(ctx, client, "http://"+public, host, "/")
		if err == nil && code == http.StatusOK {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("Envoy answers %d: %s, %v", code, text, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func get(t *testing.T, client *http.Client, base, host, path string) (int, string) {
	t.Helper()
	code, text, err := try(t.Context(), client, base, host, path)
	if err != nil {
		t.Fatal(err)
	}
	return code, text
}

// try asks for a path as it is written.
func try(ctx context.Context, client *http.Client, base, host, path string) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base, nil)
	if err != nil {
		return 0, "", err
	}
	r.Host, r.URL = host, &url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Path: path, Opaque: ""}
	answer, err := client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), err
}
