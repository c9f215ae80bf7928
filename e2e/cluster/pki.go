package cluster

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// pair is a certificate and its key, in PEM.
type pair struct{ cert, key []byte }

// write stores the pair as NAME.crt and NAME.key in a directory.
func (p pair) write(dir, name string) error {
	if err := os.WriteFile(filepath.Join(dir, name+".crt"), p.cert, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".key"), p.key, 0o600)
}

// authority is the certificate authority of one cluster. Its key is never stored: each cluster has a new one.
type authority struct {
	pair
	signer *x509.Certificate
	secret crypto.Signer
}

func newAuthority() (*authority, error) {
	a := &authority{signer: &x509.Certificate{
		Subject:               pkix.Name{CommonName: "cluster"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}}
	var err error
	a.pair, a.secret, err = sign(a.signer, nil)
	return a, err
}

// server issues a certificate for the names and addresses of a server.
func (a *authority) server(user, group string, names ...string) (pair, error) {
	template := subject(user, group, x509.ExtKeyUsageServerAuth)
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	p, _, err := sign(template, a)
	return p, err
}

// client issues a certificate with which Kubernetes authenticates a user of a group.
func (a *authority) client(user, group string) (pair, error) {
	p, _, err := sign(subject(user, group, x509.ExtKeyUsageClientAuth), a)
	return p, err
}

func subject(user, group string, use x509.ExtKeyUsage) *x509.Certificate {
	c := &x509.Certificate{
		Subject:     pkix.Name{CommonName: user},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{use},
	}
	if group != "" {
		c.Subject.Organization = []string{group}
	}
	return c
}

// sign creates a key and its certificate, signed by an authority or, if that is nil, self-signed.
func sign(template *x509.Certificate, by *authority) (pair, crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, nil, err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return pair{}, nil, err
	}
	template.NotBefore = time.Now().Add(-time.Hour) // clocks may be set back
	template.NotAfter = template.NotBefore.AddDate(1, 0, 0)
	if by == nil {
		by = &authority{signer: template, secret: key}
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, by.signer, key.Public(), by.secret)
	if err != nil {
		return pair{}, nil, err
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return pair{}, nil, err
	}
	return pair{
		cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
		key:  pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}),
	}, key, nil
}

// kubeconfig returns the configuration of a client, which does not refer to other files.
func (a *authority) kubeconfig(user, group string) ([]byte, error) {
	p, err := a.client(user, group)
	if err != nil {
		return nil, err
	}
	type object map[string]any
	const name = "cluster"
	return json.MarshalIndent(object{ // JSON is YAML
		"apiVersion":      "v1",
		"kind":            "Config",
		"current-context": name,
		"contexts":        []object{{"name": name, "context": object{"cluster": name, "user": user}}},
		"clusters":        []object{{"name": name, "cluster": object{"server": apiServer, "certificate-authority-data": a.cert}}},
		"users":           []object{{"name": user, "user": object{"client-certificate-data": p.cert, "client-key-data": p.key}}},
	}, "", "  ")
}
