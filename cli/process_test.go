package cli

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/cli/clitest"
)

// impatient is set in the environment of a command that repeats no call. So a refusal that names a second is as one that names an hour,
// for which no call waits.
const impatient = "BAKTA_WEB_TEST_IMPATIENT"

// TestMain lets the tests start this program as a user does: the test's own binary is `bakta-web` when asked to.
func TestMain(m *testing.M) {
	if os.Getenv(clitest.Variable) == "command" {
		a := newApp(Program{Version: "v1.2.3"}, os.Stdout, os.Stderr, os.Getenv)
		a.patience, a.transferPatience, a.absence = 500*time.Millisecond, 2*time.Second, 3*time.Second
		if os.Getenv(impatient) != "" {
			a.patience, a.transferPatience, a.absence = -1, -1, -1
		}
		os.Exit(a.run(context.Background(), os.Args[1:]))
	}
	os.Exit(m.Run())
}
