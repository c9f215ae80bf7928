package command

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
)

// openBrowser opens a URL in the browser of the user's desktop. It does not wait for the browser.
func openBrowser(url string) error {
	commands := [][]string{{"xdg-open"}, {"wslview"}, {"gio", "open"}, {"sensible-browser"}}
	switch runtime.GOOS {
	case "darwin":
		commands = [][]string{{"open"}}
	case "windows":
		commands = [][]string{{"rundll32", "url.dll,FileProtocolHandler"}}
	}
	if browser := os.Getenv("BROWSER"); browser != "" {
		commands = append([][]string{{browser}}, commands...)
	}
	for _, c := range commands {
		path, err := exec.LookPath(c[0])
		if err != nil {
			continue
		}
		cmd := exec.Command(path, append(c[1:], url)...)
		if err := cmd.Start(); err != nil {
			return fmt.Errorf("starting %s: %w", c[0], err)
		}
		go cmd.Wait() // no more than a zombie is prevented: the browser may live as long as it likes
		return nil
	}
	return fmt.Errorf("found no program that opens a browser, such as xdg-open; open %s yourself", url)
}
