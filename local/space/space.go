// Package space keeps a backend able to work on a disk that is full: what makes data is refused while there is little
// room left, and a reserve is kept for what removes data, since a database needs room to forget something, too.
package space

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Disk is the disk on which a directory lies.
type Disk struct {
	dir     string
	reserve int64 // bytes
	low     int64 // bytes; with less than that nothing is taken

	mu    sync.Mutex
	users int // of the reserve; while there are some, it is not held
}

const (
	file = "reserve" // in the directory
	// Bounds of the reserve, a 64th of the disk: what the database writes to remove a job is less than a megabyte.
	leastReserve = 4 << 20
	// slack is left free while the disk is full: file systems take some for themselves.
	slack       = 64 << 10
	mostReserve = 32 << 20
	// mostLow bounds how much has to be free, a twentieth of the disk: Bakta writes some hundred megabytes for a genome.
	mostLow = 256 << 20
)

// Open returns the disk of a directory. It holds no reserve before the first Refill.
func Open(dir string) (*Disk, error) {
	_, total, err := room(dir)
	if err != nil {
		return nil, err
	}
	return &Disk{dir: dir, reserve: min(max(total/64, leastReserve), mostReserve), low: min(total/20, mostLow)}, nil
}

// Take reports whether there is room for so many bytes more. If not, it is a job.Unavailable error that says so.
func (d *Disk) Take(size int64) error {
	free, _, err := room(d.dir)
	if err != nil {
		return job.Errorf(job.Unavailable, "the server can't use its disk").Because(err)
	}
	if free-d.low < size {
		return job.Errorf(job.Unavailable, "the server's disk is full: delete jobs that are not needed any more, or tell the operators").
			Because(fmt.Errorf("%d bytes are free, %d are kept free, %d are needed", free, d.low, size))
	}
	return nil
}

// Full reports whether what removes data may fail for want of room. It says so, too, while somebody has the reserve.
func (d *Disk) Full() bool {
	free, _, err := room(d.dir)
	return err == nil && free < 2*d.reserve
}

// Release gives the reserve to what the caller does until it calls what is returned.
func (d *Disk) Release() (back func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.users++
	_ = os.Remove(d.path()) // not there, or in vain, which the caller sees by what it does
	return func() {
		d.mu.Lock()
		d.users--
		d.mu.Unlock()
		d.Refill()
	}
}

// Refill makes the reserve again, as much of it as there is room for. A later call goes on.
func (d *Disk) Refill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	var held int64
	if info, err := os.Stat(d.path()); err == nil {
		held = info.Size()
	}
	if d.users > 0 || held >= d.reserve {
		return
	}
	if free, _, err := room(d.dir); err == nil && free > slack {
		_ = d.fill(min(d.reserve, held+free-slack)) // what it is worth shows when it is needed
	}
}

func (d *Disk) path() string { return filepath.Join(d.dir, file) }
