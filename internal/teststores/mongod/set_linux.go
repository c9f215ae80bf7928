package mongod

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores/process"
)

// Set is a replica set of three servers as institutes have it: with authentication, TLS by a CA of its own, and a network between its
// members. It is for Linux, root, and a network namespace of the tests' own.
type Set struct {
	URI string // with the user's password and the file of the CA; it names no database

	dir     string
	program []string // its command line
	tls     *tls.Config
	network *network
	members []*member
}

// port is that of each member, in its own namespace.
const port = "27017"

type member struct {
	index   int
	address string
	process *process.Process
	starts  int
}

// size is the number of members.
const size = 3

const setUser, setPassword = "bakta", "set-pass/word"

// StartSet starts a replica set with its data below dir, and returns when it accepts writes.
func StartSet(ctx context.Context, cache, dir string) (*Set, error) {
	command, err := program(ctx, cache)
	if err != nil {
		return nil, fmt.Errorf("no MongoDB server to test on: %w", err)
	}
	s := &Set{dir: dir, program: command}
	if err = errors.Join(s.certificates(), os.WriteFile(s.file("key"), []byte(rand.Text()), 0o600)); err != nil {
		return nil, err
	}
	if s.network, err = newNetwork(ctx, size, s.file); err != nil {
		return nil, err
	}
	var hosts []string
	var members bson.A
	for i := range size {
		m := &member{index: i, address: net.JoinHostPort(inner(i), port)}
		s.members, hosts = append(s.members, m), append(hosts, m.address)
		members = append(members, bson.D{{Key: "_id", Value: i}, {Key: "host", Value: m.address}})
		if err := s.start(m); err != nil {
			return nil, errors.Join(err, s.Stop())
		}
	}
	s.URI = fmt.Sprintf("mongodb://%s@%s/?replicaSet=rs0&tls=true&tlsCAFile=%s", url.UserPassword(setUser, setPassword),
		strings.Join(hosts, ","), url.QueryEscape(s.file("ca.pem")))
	if err := s.initiate(ctx, members); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Set) file(name string) string { return filepath.Join(s.dir, name) }

// start starts a member, on the data that it has.
func (s *Set) start(m *member) (err error) {
	data := s.file(fmt.Sprintf("db%d", m.index))
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	m.starts++
	command := s.network.inside(m.index, append(s.program[:len(s.program):len(s.program)],
		"--dbpath", data, "--bind_ip", inner(m.index)+",127.0.0.1", "--port", port, "--nounixsocket", "--replSet", "rs0", "--oplogSize", "64",
		"--wiredTigerCacheSizeGB", "0.25", "--setParameter", "diagnosticDataCollectionEnabled=false", "--keyFile", s.file("key"),
		"--tlsMode", "requireTLS", "--tlsCAFile", s.file("ca.pem"), "--tlsCertificateKeyFile", s.file("server.pem"),
		"--tlsAllowConnectionsWithoutCertificates")...)
	m.process, err = process.Start(s.file(fmt.Sprintf("mongod%d.%d.log", m.index, m.starts)), exec.Command(command[0], command[1:]...))
	return err
}

// certificates creates a CA and a certificate of the members' addresses.
func (s *Set) certificates() error {
	from, to := time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "tests' CA"}, NotBefore: from, NotAfter: to,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	addresses := []net.IP{net.IPv4(127, 0, 0, 1)}
	for i := range size {
		addresses = append(addresses, net.ParseIP(inner(i)))
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "mongod"}, NotBefore: from, NotAfter: to,
		KeyUsage: x509.KeyUsageDigitalSignature, IPAddresses: addresses,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, // members call each other
	}
	serverDER, err := x509.CreateCertificate(rand.Reader, server, ca, &key.PublicKey, caKey)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(block("CERTIFICATE", caDER))
	s.tls = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return errors.Join(os.WriteFile(s.file("ca.pem"), block("CERTIFICATE", caDER), 0o600),
		os.WriteFile(s.file("server.pem"), append(block("CERTIFICATE", serverDER), block("PRIVATE KEY", keyDER)...), 0o600))
}

// initiate makes the servers a set, and creates its user by the exception for the first one.
func (s *Set) initiate(ctx context.Context, members bson.A) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	first := s.members[0]
	config := bson.D{{Key: "_id", Value: "rs0"}, {Key: "members", Value: members}}
	if err := until(ctx, first.process, func() error {
		err := s.command(ctx, first, bson.D{{Key: "replSetInitiate", Value: config}}, nil)
		if err != nil && strings.Contains(err.Error(), "AlreadyInitialized") {
			return nil
		}
		return err
	}); err != nil {
		return err
	}
	user := bson.D{
		{Key: "createUser", Value: setUser}, {Key: "pwd", Value: setPassword},
		{Key: "roles", Value: bson.A{"readWriteAnyDatabase", "dbAdminAnyDatabase"}},
	}
	return until(ctx, first.process, func() error {
		for _, m := range s.members {
			if primary, err := s.isPrimary(ctx, m); err == nil && primary {
				return s.command(ctx, m, user, nil)
			}
		}
		return errors.New("there is no primary")
	})
}

// command runs a command on one member, without a user. From its own loopback address a server allows that until it has a user.
func (s *Set) command(ctx context.Context, m *member, command bson.D, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	o := options.Client().SetHosts([]string{"127.0.0.1:" + port}).SetDirect(true).SetTLSConfig(s.tls).
		SetServerSelectionTimeout(time.Second).SetDialer(within{s.network, m.index})
	client, err := mongo.Connect(o)
	if err != nil {
		return err
	}
	defer client.Disconnect(context.WithoutCancel(ctx))
	result := client.Database("admin").RunCommand(ctx, command)
	if answer == nil {
		return result.Err()
	}
	return result.Decode(answer)
}

func (s *Set) isPrimary(ctx context.Context, m *member) (bool, error) {
	var hello struct {
		IsWritablePrimary bool `bson:"isWritablePrimary"`
	}
	err := s.command(ctx, m, bson.D{{Key: "hello", Value: 1}}, &hello)
	return hello.IsWritablePrimary, err
}

// Primary returns the index of the member that is the primary, other than those.
func (s *Set) Primary(ctx context.Context, except ...int) (int, error) {
	for i, m := range s.members {
		if slices.Contains(except, i) {
			continue
		}
		if primary, err := s.isPrimary(ctx, m); err == nil && primary {
			return i, nil
		}
	}
	return 0, errors.New("there is no primary")
}

// Secondary reports whether a member is a secondary.
func (s *Set) Secondary(ctx context.Context, i int) bool {
	var hello struct {
		Secondary bool `bson:"secondary"`
	}
	return s.command(ctx, s.members[i], bson.D{{Key: "hello", Value: 1}}, &hello) == nil && hello.Secondary
}

// Kill kills a member at once.
func (s *Set) Kill(_ context.Context, i int) error { return s.members[i].process.Kill() }

// Restart starts a member again that was killed.
func (s *Set) Restart(_ context.Context, i int) error { return s.start(s.members[i]) }

// Part cuts a member off from the other ones. Clients still reach it.
func (s *Set) Part(ctx context.Context, i int) error {
	return s.network.drop(ctx, "-I", i, betweenMembers)
}

// Join ends Part.
func (s *Set) Join(ctx context.Context, i int) error {
	return s.network.drop(ctx, "-D", i, betweenMembers)
}

// Cut cuts a member off from the other ones and from clients.
func (s *Set) Cut(ctx context.Context, i int) error { return s.network.drop(ctx, "-I", i, everywhere) }

// Mend ends Cut.
func (s *Set) Mend(ctx context.Context, i int) error { return s.network.drop(ctx, "-D", i, everywhere) }

// Stop kills all members.
func (s *Set) Stop() error {
	var errs []error
	for _, m := range s.members {
		if m.process != nil {
			errs = append(errs, m.process.Kill())
		}
	}
	return errors.Join(append(errs, s.network.stop())...)
}
