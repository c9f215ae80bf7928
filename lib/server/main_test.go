package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// asProgram is the environment variable that makes the test program a function's program; see TestProgram.
const asProgram = "FUNCTION_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if how := os.Getenv(asProgram); how != "" {
		os.Exit(program("127.0.0.1:0", func(_ context.Context, log *slog.Logger) (*Server, error) {
			if how == "broken" {
				return nil, errors.New("the configuration is wrong")
			}
			s, err := New(Options{Log: log})
			if err == nil {
				s.AfterDrain(func(context.Context) error { log.Info("closed"); return nil })
			}
			return s, err
		}))
	}
	goleak.VerifyTestMain(m)
}

// A program serves until a signal, drains, and exits with a status that reports whether it succeeded.
func TestProgram(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	start := func(how string) (*exec.Cmd, *bufio.Scanner) {
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), asProgram+"="+how)
		log, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd, bufio.NewScanner(log)
	}

	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		cmd, log := start("whole")
		var served bool
		var said []string
		for log.Scan() {
			var line struct{ Msg, Address string }
			if err := json.Unmarshal(log.Bytes(), &line); err != nil {
				t.Fatalf("the log holds %q: %v", log.Text(), err)
			}
			said = append(said, line.Msg)
			if line.Msg == "serving" {
				response, err := http.Get("http://" + line.Address + "/healthz")
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
				served = response.StatusCode == http.StatusOK
				if err := cmd.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err != nil || !served {
			t.Errorf("%v: ended with %v, served: %v", signal, err, served)
		}
		if want := "serving, draining, closed, the program ends"; strings.Join(said, ", ") != want {
			t.Errorf("%v: logged %v", signal, said)
		}
	}

	cmd, log := start("broken")
	var said string
	for log.Scan() {
		said += log.Text()
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(said, "the configuration is wrong") {
		t.Errorf("ended with %v and said %s", err, said)
	}
	http.DefaultClient.CloseIdleConnections()
}
