package mongod

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores/process"
)

// network gives each member a network namespace of its own, with a link to the namespace of this process, which forwards packets between
// them. So members can be cut off as a broken network does it: packets disappear, and connections stay open.
type network struct {
	holders []*process.Process // each keeps a namespace
}

// The addresses at both ends of a member's link.
func outer(i int) string { return fmt.Sprintf("10.77.%d.1", i) }
func inner(i int) string { return fmt.Sprintf("10.77.%d.2", i) }

// newNetwork makes the namespaces of so many members. Logs are written to the files that file names.
func newNetwork(ctx context.Context, members int, file func(name string) string) (*network, error) {
	// The machine's own network is not changed.
	ours, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return nil, err
	}
	if devices, err := net.Interfaces(); err != nil || len(devices) != 1 {
		return nil, errors.Join(errors.New("this needs root and a new network namespace; make test-mongodb makes it"), err)
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0); err != nil {
		return nil, err
	}
	n := &network{}
	for i := range members {
		holder, err := process.Start(file(fmt.Sprintf("network%d.log", i)), exec.Command("unshare", "--net", "sleep", "infinity"))
		if err != nil {
			return nil, errors.Join(err, n.stop())
		}
		n.holders = append(n.holders, holder)
		if err := n.link(ctx, i, ours); err != nil {
			return nil, errors.Join(err, n.stop())
		}
	}
	return n, nil
}

// link connects a member's namespace when its holder has made it.
func (n *network) link(ctx context.Context, i int, ours string) error {
	pid := strconv.Itoa(n.holders[i].PID())
	if err := until(ctx, n.holders[i], func() error {
		switch theirs, err := os.Readlink("/proc/" + pid + "/ns/net"); {
		case err != nil:
			return err
		case theirs == ours:
			return errors.New("the namespace is not made yet")
		}
		return nil
	}); err != nil {
		return err
	}
	name := fmt.Sprintf("member%d", i)
	for _, args := range [][]string{
		{"ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", pid},
		{"ip", "address", "add", outer(i) + "/30", "dev", name},
		{"ip", "link", "set", name, "up"},
		n.inside(i, "ip", "address", "add", inner(i)+"/30", "dev", "eth0"),
		n.inside(i, "ip", "link", "set", "eth0", "up"),
		n.inside(i, "ip", "link", "set", "lo", "up"),
		n.inside(i, "ip", "route", "add", "default", "via", outer(i)),
	} {
		if err := run(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// inside returns the command that runs another one in a member's namespace.
func (n *network) inside(i int, args ...string) []string {
	return append([]string{"nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", n.holders[i].PID())}, args...)
}

// within dials from a member's namespace.
type within struct {
	*network
	member int
}

// DialContext is that of a net.Dialer.
func (w within) DialContext(ctx context.Context, proto, address string) (conn net.Conn, err error) {
	// A socket belongs to the namespace of the thread that makes it. A thread that can't return to ours stays locked, so it ends with
	// its goroutine.
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err = w.dial(ctx, proto, address)
	}()
	<-done
	return conn, err
}

func (w within) dial(ctx context.Context, proto, address string) (net.Conn, error) {
	runtime.LockOSThread()
	ours, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer ours.Close()
	theirs, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", w.holders[w.member].PID()))
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	if err := unix.Setns(int(theirs.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, proto, address)
	if back := unix.Setns(int(ours.Fd()), unix.CLONE_NEWNET); back != nil {
		return conn, errors.Join(err, back)
	}
	runtime.UnlockOSThread()
	return conn, err
}

// A member's packets pass these chains on their way to other members, to this process, and from it.
var (
	betweenMembers = []string{"FORWARD"}
	everywhere     = []string{"FORWARD", "INPUT", "OUTPUT"}
)

// drop drops a member's packets in chains, or ends that (action -I or -D of iptables).
func (n *network) drop(ctx context.Context, action string, i int, chains []string) error {
	for _, chain := range chains {
		for _, side := range []string{"-s", "-d"} {
			if err := run(ctx, "iptables", "-w", action, chain, side, inner(i), "-j", "DROP"); err != nil {
				return err
			}
		}
	}
	return nil
}

// stop ends the namespaces. The links disappear with them.
func (n *network) stop() error {
	var errs []error
	for _, h := range n.holders {
		errs = append(errs, h.Kill())
	}
	return errors.Join(errs...)
}

func run(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%q: %w: %s", args, err, out)
	}
	return nil
}
