package batch

import (
	"os"
	"strings"
	"testing"
)

// TestDocumented: people and programs read the columns of the table and the states.
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/batches.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range columns {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/batches.md does not name the column %s", name)
		}
	}
	for _, s := range []State{Waiting, Checking, Uploading, Queued, Running, Downloading, Submitted, Succeeded, Unable} {
		if !strings.Contains(string(text), "`"+string(s)+"`") {
			t.Errorf("docs/batches.md does not name the state %s", s)
		}
	}
}
