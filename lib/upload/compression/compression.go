// Package compression decompresses gzip, bzip2, xz and zstd files, and accepts and refuses what the readers that Bakta uses do.
package compression

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"io"

	"github.com/klauspost/compress/zstd"
)

const (
	// maxWindow is the largest window of a zstd file that is decompressed here, in bytes. Levels up to 19 use
	// 8 MiB; the memory is taken at once, whatever the content.
	maxWindow = 8 << 20
)

// ErrUnseen is why the decompression stopped without a verdict.
var ErrUnseen = errors.New("not decompressed here")

// Open returns the content of a reader, decompressed if its first bytes are those of a compressed file, and what the name of such
// a file ends in. Its verdict on what follows the compressed data is that of the readers that Bakta uses (xopen 2.1, in
// this process: isal's igzip, Python's bz2 and lzma, backports.zstd): the content's error is errFollowed for what they
// refuse, and a content that is a Follower reports what they pass over. The caller calls closer when it is done.
func Open(in *bufio.Reader) (content io.Reader, ending string, closer func(), err error) {
	magic, _ := in.Peek(6) // an error comes again with the next read
	closer = func() {}
	switch {
	case bytes.HasPrefix(magic, []byte("\x1f\x8b")):
		content, err = newGzip(in)
		return content, ".gz", closer, err
	case bytes.HasPrefix(magic, []byte("BZh")):
		return newBzip2(in), ".bz2", closer, nil
	case bytes.HasPrefix(magic, []byte(XZMagic)):
		return newXZ(in), ".xz", closer, nil
	case isZstd(magic):
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err == nil {
			content, closer = z, z.Close
		}
		return content, ".zst", closer, err
	}
	return in, "", closer, nil
}

// isZstd reports whether a file begins with a frame of zstd, be it one that is skipped, as pzstd writes it.
func isZstd(magic []byte) bool {
	return bytes.HasPrefix(magic, []byte("\x28\xb5\x2f\xfd")) ||
		len(magic) >= 4 && magic[0]&0xf0 == 0x50 && string(magic[1:4]) == "\x2a\x4d\x18"
}

// ErrFollowed is why a compressed file can't be read to its end: behind its compressed data stands something else.
var ErrFollowed = errors.New("the compressed data is followed by something else")

// Follower is a content that, at its end, knows whether something followed it that Bakta passes over.
type Follower interface{ Followed() bool }

// gzipMembers decompresses the members of a gzip file, one behind the other, with zeros between them or not.
type gzipMembers struct {
	in *bufio.Reader
	z  *gzip.Reader
}

func newGzip(in *bufio.Reader) (io.Reader, error) {
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	return &gzipMembers{in, z}, nil
}

func (g *gzipMembers) Read(p []byte) (int, error) {
	for {
		n, err := g.z.Read(p)
		if errors.Is(err, io.EOF) {
			err = g.next()
		}
		if n > 0 || err != nil { // empty members may follow one another without end
			return n, err
		}
	}
}

// next goes on to the next member. It is io.EOF at the end of the file.
func (g *gzipMembers) next() error {
	for {
		b, err := g.in.Peek(1)
		if err != nil {
			return err
		}
		if b[0] != 0 {
			break
		}
		g.in.Discard(1)
	}
	if magic, _ := g.in.Peek(2); string(magic) != "\x1f\x8b" {
		return ErrFollowed
	}
	if err := g.z.Reset(g.in); err != nil {
		return noEOF(err)
	}
	g.z.Multistream(false)
	return nil
}

// noEOF returns an error of something that has begun: the end of the file is unexpected there.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// bzip2Streams decompresses the streams of a bzip2 file, one behind the other. Python passes over what follows them and
// is not a stream (_compression.DecompressReader); a stream that begins and is damaged is refused, though, since Python
// may pass over that, too, and then a part of the genome is missing.
type bzip2Streams struct {
	z      io.Reader
	raw    *paddedReader
	passed bool
	err    error // that came last: the library would read on
}

func newBzip2(in *bufio.Reader) io.Reader {
	raw := &paddedReader{r: in}
	return &bzip2Streams{z: bzip2.NewReader(raw), raw: raw}
}

// Followed reports whether the file went on behind its last stream with something else.
func (b *bzip2Streams) Followed() bool { return b.passed }

// errNoStream is what the library says when a stream is not followed by another. It has read two bytes by then.
const errNoStream = bzip2.StructuralError("bad magic value in continuation file")

func (b *bzip2Streams) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.z.Read(p)
	switch {
	case err == io.EOF: // the padding ended a stream
		err = io.ErrUnexpectedEOF
	case !errors.Is(err, errNoStream):
	case b.raw.padded == padding:
		err = io.EOF
	case b.raw.padded == 1 && b.raw.last == 'B': // it could begin another
		err = io.ErrUnexpectedEOF
	default:
		b.passed, err = true, io.EOF
	}
	b.err = err
	return n, err
}

// padding is how many bytes a paddedReader adds.
const padding = 2

// paddedReader adds two zeros to what a reader gives. The library reads two bytes behind a stream and does not say
// which they were; with the zeros it says the same at the end of the file and behind a single byte.
type paddedReader struct {
	r      *bufio.Reader
	padded int  // zeros that were given
	last   byte // the last byte before them
}

func (p *paddedReader) ReadByte() (byte, error) {
	b, err := p.r.ReadByte()
	switch {
	case err == nil:
		p.last = b
	case err == io.EOF && p.padded < padding:
		p.padded++
		return 0, nil
	}
	return b, err
}

// Read is not called: the library reads single bytes where it can.
func (p *paddedReader) Read(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		if b[n], err = p.ReadByte(); err == nil {
			n++
		}
	}
	return n, err
}
