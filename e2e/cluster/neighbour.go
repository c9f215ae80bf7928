package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// neighbour is software that an institute runs in the same cluster, or something else that a cluster may have. Each has a file of its own
// in this package, and its programs are built from a module of their own below the folder neighbours.
type neighbour struct {
	name     string            // on the command line
	smallest Extent            // that it can run with
	debian   map[string]string // packages that it needs, as in the variable debian; may be nil
	programs []set
	fetch    func(c *Cluster, ctx context.Context) error          // gets what is not built; may be nil
	up       func(c *Cluster, ctx context.Context, s space) error // loads its images, deploys it and waits for it
}

// neighbours are all that a cluster can have.
var neighbours = []neighbour{clock, kourier, kueue, policies, prometheus}

// Neighbours returns the names of all that a cluster can have.
func Neighbours() []string {
	names := make([]string, len(neighbours))
	for i, n := range neighbours {
		names[i] = n.name
	}
	return names
}

// neighboursOf returns the neighbours of the names.
func neighboursOf(names []string, extent Extent) ([]neighbour, error) {
	var found []neighbour
	for _, name := range names {
		i := slices.Index(Neighbours(), name)
		if i < 0 {
			return nil, fmt.Errorf("--with is %q; its values are %s", name, strings.Join(Neighbours(), ", "))
		}
		if extent < neighbours[i].smallest {
			return nil, fmt.Errorf("--with %s needs Knative: leave out --only", name)
		}
		found = append(found, neighbours[i])
	}
	return found, nil
}
