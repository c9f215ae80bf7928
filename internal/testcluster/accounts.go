// Package testcluster gives tests on a real cluster the service accounts of a deployment, with the permissions that
// its manifests grant them, in a namespace of their own.
package testcluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	rbacclient "k8s.io/client-go/kubernetes/typed/rbac/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
)

// Accounts are the service accounts of a deployment in a namespace.
type Accounts struct {
	config    *rest.Config
	core      *coreclient.CoreV1Client
	namespace string
}

// Grant creates the service accounts and the permissions of the deployment's manifests in an existing namespace. They are deleted
// with it. The configuration must have the permission to create them.
func Grant(t testing.TB, config *rest.Config, namespace string) *Accounts {
	t.Helper()
	core, err := coreclient.NewForConfig(config)
	check(t, err)
	roles, err := rbacclient.NewForConfig(config)
	check(t, err)
	root, err := teststores.Root()
	check(t, err)
	for _, name := range []string{"200-serviceaccounts.yaml", "210-rbac.yaml"} {
		content, err := os.ReadFile(filepath.Join(root, "kservices", "base", name))
		check(t, err)
		for document := range strings.SplitSeq(string(content), "\n---\n") {
			document = strings.ReplaceAll(document+"\n", "namespace: bakta\n", "namespace: "+namespace+"\n")
			var kind metav1.TypeMeta
			check(t, yaml.Unmarshal([]byte(document), &kind))
			switch kind.Kind {
			case "ServiceAccount":
				_, err = core.ServiceAccounts(namespace).Create(t.Context(), decoded[corev1.ServiceAccount](t, document), metav1.CreateOptions{})
			case "Role":
				_, err = roles.Roles(namespace).Create(t.Context(), decoded[rbacv1.Role](t, document), metav1.CreateOptions{})
			case "RoleBinding":
				_, err = roles.RoleBindings(namespace).Create(t.Context(), decoded[rbacv1.RoleBinding](t, document), metav1.CreateOptions{})
			default:
				t.Fatalf("%s holds a %s", name, kind.Kind)
			}
			check(t, err)
		}
	}
	return &Accounts{config: config, core: core, namespace: namespace}
}

// Config returns a client configuration of the account of that name: with its token only.
func (a *Accounts) Config(t testing.TB, account string) *rest.Config {
	t.Helper()
	token, err := a.core.ServiceAccounts(
		a.namespace,
	).CreateToken(
		t.Context(),
		account,
		&authenticationv1.TokenRequest{},
		metav1.CreateOptions{},
	)
	check(t, err)
	config := rest.AnonymousClientConfig(a.config)
	config.BearerToken = token.Status.Token
	return config
}

// Kubeconfig writes the same to a kubeconfig file, and returns its path.
func (a *Accounts) Kubeconfig(t testing.TB, account string) string {
	t.Helper()
	c := a.Config(t, account)
	file := clientcmdapi.NewConfig()
	file.Clusters["test"] = &clientcmdapi.Cluster{Server: c.Host, CertificateAuthority: c.CAFile, CertificateAuthorityData: c.CAData}
	file.AuthInfos[account] = &clientcmdapi.AuthInfo{Token: c.BearerToken}
	file.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: account}
	file.CurrentContext = "test"
	path := filepath.Join(t.TempDir(), account+".kubeconfig")
	check(t, clientcmd.WriteToFile(*file, path))
	return path
}

func decoded[T any](t testing.TB, document string) *T {
	t.Helper()
	object := new(T)
	check(t, yaml.UnmarshalStrict([]byte(document), object))
	return object
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
