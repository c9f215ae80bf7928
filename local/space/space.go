// Package space keeps a backend able to work on a full disk. It refuses new data while little disk space is free, and it
// keeps a reserve for deletions, because a database needs disk space even to delete.
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
	low     int64 // bytes that new data must leave free

	mu    sync.Mutex
	users int // callers that use the reserve; it is not refilled meanwhile
}

const (
	file = "reserve" // in the directory
	// Bounds of the reserve, which is a 64th of the disk. The database writes less than a megabyte to delete a job.
	minReserve = 4 << 20
	maxReserve = 32 << 20
	// slack is not used for the reserve: file systems need some free space themselves.
	slack = 64 << 10
	// maxLow bounds low, which is a twentieth of the disk. Bakta writes some hundred megabytes for a genome.
	maxLow = 256 << 20
)

// Open returns the disk of a directory. The reserve is empty before the first Refill.
func Open(dir string) (*Disk, error) {
	_, total, err := diskSpace(dir)
	if err != nil {
		return nil, err
	}
	return &Disk{dir: dir, reserve: min(max(total/64, minReserve), maxReserve), low: min(total/20, maxLow)}, nil
}

// Take checks the free disk space for new data of size bytes. It returns a job.Unavailable error if there is too little.
func (d *Disk) Take(size int64) error {
	free, _, err := diskSpace(d.dir)
	if err != nil {
		return job.Errorf(job.Unavailable, "the server can't use its disk").Because(err)
	}
	if free-d.low < size {
		return job.Errorf(job.Unavailable, "the server's disk is full: delete jobs that are no longer needed, or contact the operators").
			Because(fmt.Errorf("%d bytes are free, %d must stay free, %d are needed", free, d.low, size))
	}
	return nil
}

// Full reports whether deletions may fail because too little disk space is free. It is also true while a caller uses the
// reserve.
func (d *Disk) Full() bool {
	free, _, err := diskSpace(d.dir)
	return err == nil && free < 2*d.reserve
}

// Release frees the reserve for a deletion by the caller, who calls back when it is done.
func (d *Disk) Release() (back func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.users++
	_ = os.Remove(d.path()) // if this fails, the caller's deletion fails and reports it
	return func() {
		d.mu.Lock()
		d.users--
		d.mu.Unlock()
		d.Refill()
	}
}

// Refill allocates the reserve again, as far as disk space is free. A later call continues.
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
	if free, _, err := diskSpace(d.dir); err == nil && free > slack {
		_ = d.fill(min(d.reserve, held+free-slack)) // a later Refill tries again
	}
}

func (d *Disk) path() string { return filepath.Join(d.dir, file) }
