package local

import (
	"bufio"
	"bytes"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
)

// shrink gives memory back that only the start needed: free memory of the heap, and the pages of the program itself. The kernel maps far
// more of those than are used, and maps them again, without a read from the disk, when they are.
func shrink(log *slog.Logger) {
	debug.FreeOSMemory()
	mappings, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		log.Info("the pages of the program stay in memory", "error", err)
		return
	}
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		log.Info("the pages of the program stay in memory", "error", err)
		return
	}
	for _, m := range unchanged(mappings, program) {
		if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, m.start, m.end-m.start, syscall.MADV_DONTNEED); errno != 0 {
			log.Info("the pages of the program stay in memory", "error", errno)
		}
	}
}

// mapping is a range of addresses.
type mapping struct{ start, end uintptr }

// unchanged returns the mappings of a file that can't be written and have no page that was: such pages, as relocations leave them, can't be
// read from the file again. The mappings are given in the form of proc_pid_smaps(5).
func unchanged(smaps []byte, file string) (found []mapping) {
	of := false // the current mapping is one of the file
	var m mapping
	for lines := bufio.NewScanner(bytes.NewReader(smaps)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		switch first, last, isRange := strings.Cut(fields[0], "-"); {
		case isRange && len(fields) >= 6:
			start, err := strconv.ParseUint(first, 16, 64)
			end, err2 := strconv.ParseUint(last, 16, 64)
			_, name, _ := strings.Cut(lines.Text(), "/")
			of = err == nil && err2 == nil && "/"+name == file && !strings.Contains(fields[1], "w")
			m = mapping{uintptr(start), uintptr(end)}
		case isRange:
			of = false // it has no file
		case fields[0] == "Anonymous:" && of && fields[1] == "0":
			found = append(found, m)
		}
	}
	return found
}
