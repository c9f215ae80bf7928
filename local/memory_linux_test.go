package local

import (
	"log/slog"
	"os"
	"reflect"
	"testing"
)

// TestUnchanged: only those mappings of the program are given back that the kernel can read again.
func TestUnchanged(t *testing.T) {
	t.Parallel()
	const smaps = `00400000-01315000 r-xp 00000000 fe:00 10086912                           /opt/bakta web/bin
Rss:               14000 kB
Anonymous:             0 kB
01315000-01400000 r--p 00f15000 fe:00 10086912                           /opt/bakta web/bin
Anonymous:             0 kB
01400000-0268b000 r--p 01000000 fe:00 10086912                           /opt/bakta web/bin
Anonymous:             8 kB
0268b000-027ad000 rw-p 0228b000 fe:00 10086912                           /opt/bakta web/bin
Anonymous:             0 kB
027ad000-04a2b000 r--p 00000000 00:00 0 
Anonymous:             0 kB
05000000-05001000 r-xp 00000000 fe:00 10086913                           /opt/bakta web/bin2
Anonymous:             0 kB
7fff00000000-7fff00001000 r-xp 00000000 00:00 0                          [vdso]
Anonymous:             0 kB
VmFlags: rd ex mr mw me
`
	want := []mapping{{0x400000, 0x1315000}, {0x1315000, 0x1400000}}
	if got := unchanged([]byte(smaps), "/opt/bakta web/bin"); !reflect.DeepEqual(got, want) {
		t.Errorf("%x", got)
	}
}

// TestShrink: this program has pages to give back, and goes on without them.
func TestShrink(t *testing.T) {
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if len(unchanged(smaps, program)) == 0 {
		t.Errorf("no mapping of %s is found in\n%s", program, smaps)
	}
	for range 3 {
		shrink(slog.New(slog.NewTextHandler(t.Output(), nil)))
	}
}
