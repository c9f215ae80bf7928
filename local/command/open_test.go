package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestOpenBrowser: the program that the user prefers gets the URL, and without any program the error says what to do.
func TestOpenBrowser(t *testing.T) {
	dir := t.TempDir()
	seen := filepath.Join(dir, "seen")
	browser := filepath.Join(dir, "browser")
	script := "#!/bin/sh\nprintf %s \"$1\" >" + seen + ".tmp && mv " + seen + ".tmp " + seen + "\n"
	if err := os.WriteFile(browser, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("BROWSER", browser)
	if err := openBrowser("http://127.0.0.1:1/"); err != nil {
		t.Fatal(err)
	}
	for {
		if got, err := os.ReadFile(seen); err == nil {
			if string(got) != "http://127.0.0.1:1/" {
				t.Errorf("the browser got %q", got)
			}
			break
		}
		time.Sleep(time.Millisecond) // the program runs on its own
		if t.Context().Err() != nil {
			t.Fatal("the browser was not started")
		}
	}
	t.Setenv("BROWSER", "")
	t.Setenv("PATH", dir)
	if err := openBrowser("http://127.0.0.1:1/"); err == nil || !strings.Contains(err.Error(), "open http://127.0.0.1:1/ yourself") {
		t.Error(err)
	}
}
