package workflow

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz/lzma"
)

const (
	// headSize is how much of a genome is looked at, in bytes, decompressed.
	headSize = 64 << 10
	// maxCompressed is how much of a compressed upload may be read for that, in bytes. bzip2 has to read a
	// block of nearly a megabyte before it gives anything; a file that takes more than this was made to.
	maxCompressed = 2 << 20
	// maxWindow is the largest window of a zstd file that is decompressed here, in bytes. Levels up to 19 use
	// 8 MiB; the memory is taken at once, whatever the content.
	maxWindow = 8 << 20
	// xzWindow is the window with which xz files are decompressed here, in bytes, whatever they ask for: of
	// the first headSize bytes none refers to one farther away.
	xzWindow = 1 << 20
)

// head is the beginning of an upload.
type head struct {
	ending  string // of the file's name, by what its compression is: "", ".gz", ".bz2", ".xz" or ".zst"
	text    []byte // at most headSize bytes, decompressed
	whole   bool   // the text is all there is; if not, there may be more or not
	damaged bool   // after the text the compressed data breaks off, or is none
}

// errUnseen is why the decompression stopped without a verdict.
var errUnseen = errors.New("not decompressed here")

// readHead reads the beginning of an upload. Its compression is told by its first bytes. An error is the
// reader's.
func readHead(r io.Reader) (head, error) {
	src := &source{r: r, left: maxCompressed}
	in := bufio.NewReaderSize(src, 16<<10)
	h := head{text: make([]byte, 0, headSize)}
	content, ending, closer, err := decompress(in)
	defer closer()
	h.ending = ending
	for err == nil && len(h.text) < headSize {
		var n int
		n, err = content.Read(h.text[len(h.text):headSize])
		h.text = h.text[:len(h.text)+n]
	}
	switch {
	case src.err != nil:
		return head{}, readingError(src.err)
	case err == nil:
	case err == io.EOF:
		// A first block of an xz file says nothing of whether there is another.
		h.whole = h.ending != ".xz"
	case src.left == 0, errors.Is(err, errUnseen), errors.Is(err, zstd.ErrWindowSizeExceeded):
	case err == gzip.ErrHeader && len(h.text) > 0:
		// Something that is no gzip member follows one. Zeros are allowed there, and not worth telling apart.
	default:
		h.damaged = true
	}
	return h, nil
}

// decompress returns what a reader holds if it is compressed, told by its first bytes, and what the name of such a
// file ends in. Of an xz file it is the first block. The caller calls closer when it is done.
func decompress(in *bufio.Reader) (content io.Reader, ending string, closer func(), err error) {
	magic, _ := in.Peek(6) // fewer bytes are no magic; an error comes again
	closer = func() {}
	switch {
	case bytes.HasPrefix(magic, []byte("\x1f\x8b")):
		content, err = gzip.NewReader(in)
		return content, ".gz", closer, err
	case bytes.HasPrefix(magic, []byte("BZh")):
		return bzip2.NewReader(in), ".bz2", closer, nil
	case bytes.HasPrefix(magic, []byte(xzMagic)):
		content, err = xzReader(in)
		return content, ".xz", closer, err
	case bytes.HasPrefix(magic, []byte("\x28\xb5\x2f\xfd")):
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err == nil {
			content, closer = z, z.Close
		}
		return content, ".zst", closer, err
	}
	return in, "", closer, nil
}

// source is a reader that knows its own error, apart from those of the decompression, and ends after a number
// of bytes.
type source struct {
	r    io.Reader
	left int64
	err  error // other than io.EOF
}

func (s *source) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := s.r.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

const xzMagic = "\xfd7zXZ\x00"

// xzReader decompresses the first block of an xz file. The header is read here, and not by the library's own
// reader of such files, because that takes as much memory as the file asks for, up to 4 GiB. The error is
// errUnseen for a file that holds other than plain LZMA2.
func xzReader(r *bufio.Reader) (io.Reader, error) {
	const streamHeader = 12
	if _, err := r.Discard(streamHeader); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	size, err := r.ReadByte()
	if err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	if size == 0 { // the index, and no block: an empty file
		return bytes.NewReader(nil), nil
	}
	header := make([]byte, int(size)*4+3) // with a checksum at its end
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	flags := header[0]
	if flags&0x03 != 0 {
		return nil, errUnseen // more than one filter
	}
	rest := header[1 : len(header)-4]
	for _, size := range []byte{0x40, 0x80} { // sizes of the block, compressed and not
		for more := flags&size != 0; more && len(rest) > 0; rest = rest[1:] {
			more = rest[0]&0x80 != 0
		}
	}
	if len(rest) == 0 || rest[0] != 0x21 {
		return nil, errUnseen // not LZMA2
	}
	return lzma.Reader2Config{DictCap: xzWindow}.NewReader2(r)
}
