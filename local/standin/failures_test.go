package standin

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestPlayedFailures(t *testing.T) {
	for _, test := range []struct {
		play   string
		status int
		last   string
		json   bool
	}{
		{failError, 1, "ERROR: played failure!", false},
		{failTraceback, 1, "ValueError: played failure", false},
		{failPartial, 0, "", false},
		{"nonsense", 1, `ERROR: BAKTA_STAND_IN_FAIL: unknown failure "nonsense"`, false},
		{"", 0, "", true},
	} {
		t.Setenv(failEnv, test.play)
		got := play(t, "bakta", demoGenome)
		_, err := os.Stat(got.path("json"))
		if got.status != test.status || lastLine(got.stderr) != test.last || (err == nil) != test.json {
			t.Errorf("%s: exit status %d, %q, %v", test.play, got.status, got.stderr, err)
		}
		if !strings.Contains(got.stdout, "predict CRISPR arrays...") {
			t.Errorf("%s: no progress before the failure", test.play)
		}
	}
}

// playing starts the stand-in as the leader of a process group of its own.
func playing(t *testing.T, failure string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(self, "--output", filepath.Join(t.TempDir(), "out"), demoGenome)
	command.Env = append(os.Environ(), asProgram+"=1", failEnv+"="+failure)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var stdout bytes.Buffer
	command.Stdout, command.Stderr = &stdout, os.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(-command.Process.Pid, syscall.SIGKILL) })
	return command, &stdout
}

func TestPlayedKill(t *testing.T) {
	command, _ := playing(t, failKill)
	var exit *exec.ExitError
	if err := command.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("ended with %v, want a SIGKILL", err)
	}
}

func TestPlayedHang(t *testing.T) {
	command, _ := playing(t, failHang)
	group := command.Process.Pid
	waitFor(t, "its child", func() bool { // told by its environment: the runtime forks for its own ends too
		return slices.ContainsFunc(members(t, group), func(pid string) bool {
			environ, _ := os.ReadFile("/proc/" + pid + "/environ")
			return bytes.Contains(environ, []byte(failEnv+"="+failHangChild))
		})
	})
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err == nil {
		t.Fatal("it did not hang")
	}
	if len(members(t, group)) != 1 {
		t.Error("its child went with it: nothing is left to find for those who kill too little")
	}
	if err := syscall.Kill(-group, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the end of its group", func() bool { return len(members(t, group)) == 0 })
}

// members lists the living processes of a group.
func members(t *testing.T, group int) (pids []string) {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			continue // it ended meanwhile
		}
		_, rest, _ := bytes.Cut(content, []byte(") "))
		if fields := strings.Fields(string(rest)); len(fields) > 2 && fields[0] != "Z" && fields[2] == strconv.Itoa(group) {
			pids = append(pids, filepath.Base(filepath.Dir(path)))
		}
	}
	return pids
}

func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !is(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s in vain", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// A failure may be asked of one program of several.
func TestPlayedFailureOfOneProgram(t *testing.T) {
	annotation, proteins := play(t, "bakta", demoGenome).mustSucceed(t).path("json"), write(t, "proteins.faa", proteinsFASTA)
	t.Setenv(failEnv, "baktfold:error")
	play(t, "bakta_proteins", proteins).mustSucceed(t)
	if got := play(t, "baktfold", "--input="+annotation); got.status != 1 || lastLine(got.stderr) != "ERROR: played failure!" {
		t.Errorf("exit status %d, %s", got.status, got.stderr)
	}
	t.Setenv(failEnv, "bakta_proteins:partial")
	if got := play(t, "bakta_proteins", proteins).mustSucceed(t); slices.Contains(got.endings(t), "json") {
		t.Error("the JSON file was not left out")
	}
}
