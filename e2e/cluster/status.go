package cluster

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Status prints the running parts and the pods. It returns an error if the cluster is down or has lost a part.
func (c *Cluster) Status(ctx context.Context) error {
	s, err := c.space()
	if err != nil {
		return err
	}
	records, err := filepath.Glob(c.file("run/*.pid"))
	if err != nil {
		return err
	}
	slices.Sort(records)
	var lost []string
	for _, record := range records {
		name := strings.TrimSuffix(filepath.Base(record), ".pid")
		p, err := recorded(record)
		if err != nil {
			return err
		}
		state := "runs"
		if !p.alive() {
			state = "has ended: read " + c.logName(name)
			lost = append(lost, name)
		}
		fmt.Fprintf(c.out, "%-24s pid %-8d %s\n", name, p.pid, state)
	}
	if len(lost) > 0 {
		return fmt.Errorf("ended: %s", strings.Join(lost, ", "))
	}
	pods, err := kubectl(ctx, s, nil, "get", "nodes,pods", "--all-namespaces", "--output=wide")
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "\n%s", pods)
	return nil
}
