// Command pause is the first process of a process namespace. It keeps the namespace alive, reaps processes whose parents
// have ended, and ends on SIGTERM, and the namespace with it. Each pod has one, and so has the cluster as a whole.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGCHLD, syscall.SIGTERM, syscall.SIGINT)
	for s := range signals {
		if s != syscall.SIGCHLD {
			return
		}
		// Signals of children that end at the same time are merged into one.
		for pid := 1; pid > 0; {
			pid, _ = syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		}
	}
}
