package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What .ci/run makes of parts that pass, fail or take too long. The parts are played: each is a line of shell.
func TestCIRun(t *testing.T) {
	t.Parallel()
	const once = "[ -e failed ] || { touch failed; exit 1; }; "
	const result = "echo '--- PASS: TestOne (1.00s)'; echo PASS"
	for name, row := range map[string]struct {
		parts   map[string]string // others pass
		env     string
		status  int
		says    []string
		saysNot string
	}{
		"all passes": {
			says: []string{"made pkg/a", "set up the real Bakta\n", "  Kubernetes\n", "  Knative\n",
				"ok  \tpkg/a\t1.2s\n--- PASS: TestOne (1.00s)\nPASS\n", "CI: all passed.\n"},
		},
		"a test fails": {
			parts: map[string]string{"make": "printf 'FAIL\\tpkg/a\\t1.2s\\n'; exit 2"}, status: 2,
			says: []string{"make test, which ended with 2\n", "== what go test said\nFAIL\tpkg/a\t1.2s\nCI: FAILED with 2.\n"}, saysNot: "TestOne",
		},
		"Bakta can't be had": {
			parts: map[string]string{"setup": "exit 3"}, says: []string{"go on with the stand-in", "CI: all passed."},
		},
		"Bakta doesn't work": {
			parts: map[string]string{"setup": "exit 4"}, status: 1, says: []string{"real Bakta, which ended with 4\n",
				"CI: FAILED"}, saysNot: "made pkg/a",
		},
		"MultiQC can't be had": {
			parts: map[string]string{"multiqc": "exit 3"}, says: []string{"MultiQC cannot be installed", "made pkg/a", "CI: all passed."},
		},
		"clients can't be made": {
			parts: map[string]string{"clients": "exit 3"}, says: []string{"no clients can be made", "generated clients, which ended with 3\n",
				"CI: all passed."},
		},
		"clients fail": {
			parts: map[string]string{"clients": "exit 5"}, status: 5, says: []string{"CI: FAILED with 5."}, saysNot: "TestOne",
		},
		"no cluster": {
			parts: map[string]string{"check": "exit 3"}, says: []string{"ok  \tpkg/a", "can't carry a cluster",
				"CI: all passed."}, saysNot: "TestOne",
		},
		"a look for a cluster fails": {
			parts: map[string]string{"check": "exit 1"}, status: 1, says: []string{"ok  \tpkg/a", "CI: FAILED with 1."}, saysNot: "TestOne",
		},
		"programs can't be built": {
			parts: map[string]string{"build": "echo no such module; exit 1"}, status: 1, says: []string{"no such module", "can't be built",
				"CI: FAILED with 1."},
		},
		"a slip": {
			parts: map[string]string{"kube": once + result}, says: []string{"'Kubernetes' failed once", "Kubernetes, second try\n",
				"CI: all passed."},
		},
		"one test fails once": {
			parts: map[string]string{"kube": `[ -z "$2" ] || { echo "again: $*"; exit 0; }; echo '    --- FAIL: TestTwo/part (1.00s)'
echo '--- FAIL: TestTwo (1.00s)'; echo '--- FAIL: TestOne (1.00s)'; exit 1`},
			says: []string{"failed once and is tried again: TestOne|TestTwo.\n", "again: -test.v -test.run ^(TestOne|TestTwo)$\n",
				"CI: all passed."},
		},
		"one test fails, and then the others can't run": {
			parts: map[string]string{"kube": `[ ! -e failed ] || { echo "again: $*"; exit 0; }; touch failed
echo '--- FAIL: TestTwo (1.00s)'; echo 'panic: x'; exit 1`},
			says:    []string{"failed once and is tried again", "again: -test.v\n", "CI: all passed."},
			saysNot: "-test.run",
		},
		"a slip, and no time": {
			parts: map[string]string{"kube": once + result}, env: "CI_SECONDS=600", status: 1,
			says: []string{"no time for a second try", "Kubernetes, which ended with 1\n"}, saysNot: "second try\n  ",
		},
		"a fault": {
			parts: map[string]string{"knative": result + "; exit 7"}, status: 7, says: []string{"'Knative' failed once",
				"Knative, second try, which ended with 7\n", "CI: FAILED with 7."},
		},
		"a part that hangs": {
			parts: map[string]string{"knative": "sleep 60"}, env: "CI_SECONDS=3", status: 124, says: []string{"no time left for", "ended with 124\n",
				"CI: FAILED with 124."},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			part := func(name, otherwise string) string {
				if line, ok := row.parts[name]; ok {
					return "#!/bin/sh\n" + line + "\n"
				}
				return "#!/bin/sh\n" + otherwise + "\n"
			}
			run, err := os.ReadFile("../.ci/run")
			if err != nil {
				t.Fatal(err)
			}
			for file, content := range map[string]string{
				".ci/run":        string(run),
				"Makefile":       "test bin/cluster bin/bakta-web:\n\t@./made $@\n.PHONY: test bin/cluster bin/bakta-web\n",
				"made":           "#!/bin/sh\n[ $1 = test ] || exit 0\n" + part("make", "echo made pkg/a; printf 'ok  \\tpkg/a\\t1.2s\\n'"),
				"bin/cluster":    "#!/bin/sh\nexec bin/$1\n",
				"bin/check":      part("check", "exit 0"),
				"bin/build":      part("build", "exit 0"),
				"bin/down":       part("down", "exit 0"),
				"bakta/setup.sh": part("setup", "exit 0"),
				"e2e/kube.sh":    part("kube", result),
				"e2e/knative.sh": part("knative", result),

				"local/clients/run.sh":   part("clients", "exit 0"),
				"local/multiqc/setup.sh": part("multiqc", "exit 0"),
			} {
				file = filepath.Join(dir, file)
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(content), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), filepath.Join(dir, ".ci/run"))
			cmd.Env = append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=", row.env)
			said, _ := cmd.CombinedOutput()
			if got := cmd.ProcessState.ExitCode(); got != row.status {
				t.Errorf("it ends with %d, not %d", got, row.status)
			}
			for _, want := range append(row.says, "== minutes of each part\n", "  all of it\n") {
				if !strings.Contains(string(said), want) {
					t.Errorf("it doesn't say %q", want)
				}
			}
			if row.saysNot != "" && strings.Contains(string(said), row.saysNot) {
				t.Errorf("it says %q", row.saysNot)
			}
			if t.Failed() {
				t.Logf("%s", said)
			}
		})
	}
}
