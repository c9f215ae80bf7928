package local_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/cli"
	"github.com/ag-computational-bio/bakta-web-backend/client"
	"github.com/ag-computational-bio/bakta-web-backend/local/command"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// TestMain makes the test's binary also the command bakta-web: the backends under test are separate processes, so that they
// can be killed, and they start their stager and stand-in from their own executable.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-test.") {
		program := cli.Program{Version: "test", Local: command.Local, Parts: command.Parts()}
		os.Exit(cli.Main(context.Background(), program, os.Args[1:], os.Stdout, os.Stderr, os.Getenv))
	}
	os.Exit(m.Run())
}

// genome is a small genome with a gene in it.
const genome = ">contig_1\n" +
	"TTGACATTTTCCTAGGAGGTTAACAATGAAACGCATTAGCACCACCATTACCACCACCATCACCATTACCACAGGTAACGGTGCGGGCTGA\n" +
	"CGCGTACAGGAAACACAGAAAAAAGCCCGCACCTGACAGTGCGGGCTTTTTTTTTCGACCAAAGGTAACGAGGTAACAACCATGCGAGTGTTGAAG\n"

// backend is a local backend in a process of its own.
type backend struct {
	t       testing.TB
	url     string
	data    string
	process *exec.Cmd
	ended   chan struct{} // closed when the process is gone
	errors  lockedText
}

// lockedText is the standard error of a process.
type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// startBackend starts a local backend on a directory, waits until it serves, and ends it with the test.
func startBackend(t testing.TB, data string, args ...string) *backend {
	t.Helper()
	b, err := tryBackend(t, data, nil, args...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func tryBackend(t testing.TB, data string, env []string, args ...string) (*backend, error) {
	return tryBackendBy(t, nil, data, env, args...)
}

// tryBackendBy is tryBackend with a program, by, that starts the backend. by includes the program's first arguments.
func tryBackendBy(t testing.TB, by []string, data string, env []string, args ...string) (*backend, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	b := &backend{t: t, data: data, ended: make(chan struct{})}
	line := slices.Concat(by, []string{self, "local", "--listen", "127.0.0.1:0", "--data", data}, args)
	b.process = exec.Command(line[0], line[1:]...)
	b.process.Env = append(os.Environ(), env...)
	b.process.Stderr = &b.errors
	out, err := b.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := b.process.Start(); err != nil {
		return nil, err
	}
	url := make(chan string, 1)
	go func() {
		defer close(b.ended)
		lines := bufio.NewReader(out)
		if line, err := lines.ReadString('\n'); err == nil {
			url <- strings.TrimSpace(line)
		}
		io.Copy(io.Discard, lines) // until the process is gone
		b.process.Wait()           // the test checks the exit code
	}()
	t.Cleanup(b.stop)
	select {
	case b.url = <-url:
		return b, nil
	case <-b.ended:
		return nil, errors.New("the backend ended before it served: " + b.errors.String())
	case <-time.After(5 * time.Minute):
		return nil, errors.New("the backend does not serve: " + b.errors.String())
	}
}

// kill ends the backend at once.
func (b *backend) kill() {
	b.process.Process.Kill() // fails only if it is gone
	<-b.ended
}

// stop stops the backend in order.
func (b *backend) stop() {
	b.process.Process.Signal(syscall.SIGTERM) // fails only if it is gone
	select {
	case <-b.ended:
	case <-time.After(5 * time.Minute):
		b.kill()
		b.t.Errorf("the backend does not end on SIGTERM: %s", b.errors.String())
	}
}

// client returns a client that does not retry.
func (b *backend) client() *client.Client {
	c, err := client.New(b.url, client.Options{Patience: -1})
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// submit creates a job, uploads its genome and starts it. It also returns a job that could not be started. started reports
// whether the start was acknowledged.
func submit(ctx context.Context, c *client.Client, name, fasta string) (job client.Ref, started bool, err error) {
	created, err := c.Init(ctx, name, protov1.RepliconTableType_TSV)
	if err != nil {
		return client.Ref{}, false, err
	}
	if err := c.Upload(ctx, created.Genome, client.BytesContent([]byte(fasta)), nil); err != nil {
		return created.Job, false, err
	}
	if err := c.Start(ctx, created.Job, nil); err != nil {
		return created.Job, false, err
	}
	return created.Job, true, nil
}
