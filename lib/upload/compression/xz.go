package compression

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

const (
	// XZMagic begins xz files.
	XZMagic = "\xfd7zXZ\x00"
	// xzWindow is the largest window with which xz files are decompressed here, in bytes. Levels up to 6, the default,
	// use 8 MiB and level 9 uses 64 MiB. A block that asks for more is read as far as the window holds all of it.
	xzWindow = 16 << 20
	// xzWindows is how much memory the windows of all blocks of a file may take one after the other, in bytes. A block
	// takes its own at once, whatever its content; a file that takes more than this was made of very small ones.
	xzWindows = 1 << 30
)

var (
	errXZ    = errors.New("damaged xz file")
	crcTable = crc64.MakeTable(crc64.ECMA)
)

// xzStreams decompresses the streams of an xz file, one behind the other. The library's own reader of such files is not
// used: it takes as much memory as a file asks for, up to 4 GiB. Read returns errUnseen where a file can't be judged
// here, and errXZ where it is damaged.
type xzStreams struct {
	in      *bufio.Reader
	flags   [2]byte   // of the stream
	content io.Reader // of the block; nil between blocks
	raw     *countingReader
	start   int64 // of the block
	check   hash.Hash
	size    int64      // of the block, decompressed
	blocks  []xzRecord // of the stream
	windows int64      // bytes that all of the file's took
	limited int64      // how much of the block can be decompressed; 0: all
	passed  bool
	err     error
}

// xzRecord is what a stream's index has of a block: its size in the file without padding, and decompressed, in bytes.
type xzRecord struct{ unpadded, size int64 }

// maxBlocks bounds the blocks of an xz stream that are remembered for its index.
const maxBlocks = 100_000

// newXZ begins to read a file that begins with xzMagic.
func newXZ(in *bufio.Reader) *xzStreams {
	x := &xzStreams{in: in, raw: &countingReader{r: in}}
	x.err = x.beginStream()
	return x
}

// Followed reports whether the file went on behind its last stream with something else.
func (x *xzStreams) Followed() bool { return x.passed }

func (x *xzStreams) Read(p []byte) (int, error) {
	for x.err == nil {
		if x.content == nil {
			x.err = x.next()
			continue
		}
		if x.limited > 0 {
			if x.size == x.limited {
				x.err = ErrUnseen
				break
			}
			p = p[:min(int64(len(p)), x.limited-x.size)]
		}
		n, err := x.content.Read(p)
		x.size += int64(n)
		if x.check != nil {
			x.check.Write(p[:n])
		}
		switch {
		case err == io.EOF:
			x.err = x.endBlock()
		case err != nil:
			x.err = x.broken(err)
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, x.err
}

// broken is the error for one of the decompression or of the file's reader.
func (x *xzStreams) broken(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return io.ErrUnexpectedEOF
	}
	return errXZ
}

// bytes reads the next n bytes.
func (x *xzStreams) bytes(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(x.raw, b); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	return b, nil
}

// checked reads the next n bytes, and four behind them that are their checksum.
func (x *xzStreams) checked(n int) ([]byte, error) {
	b, err := x.bytes(n + 4)
	if err != nil {
		return nil, err
	}
	if crc32.ChecksumIEEE(b[:n]) != binary.LittleEndian.Uint32(b[n:]) {
		return nil, errXZ
	}
	return b[:n], nil
}

func (x *xzStreams) beginStream() error {
	if _, err := x.bytes(len(XZMagic)); err != nil {
		return err
	}
	flags, err := x.checked(len(x.flags))
	if err != nil {
		return err
	}
	if flags[0] != 0 || flags[1]&0xf0 != 0 {
		return errXZ
	}
	x.flags, x.blocks = [2]byte(flags), x.blocks[:0]
	return nil
}

// next begins the next block, or ends the stream and begins the next one. It is io.EOF at the end of the file.
func (x *xzStreams) next() error {
	size, err := x.in.Peek(1)
	if err != nil {
		return io.ErrUnexpectedEOF
	}
	if size[0] != 0 {
		return x.beginBlock(int(size[0]) * 4)
	}
	if err := x.endStream(); err != nil {
		return err
	}
	rest, err := x.in.Peek(lzmaHeader)
	switch {
	case len(rest) == 0 && err == io.EOF:
		return io.EOF
	case bytes.HasPrefix(rest, []byte(XZMagic)):
		return x.beginStream()
	case bytes.HasPrefix([]byte(XZMagic), rest), lzmaAlone(rest), rest[0] == 'L':
		return ErrFollowed
	}
	x.passed = true
	return io.EOF
}

// lzmaHeader is the length of the header of an .lzma file, in bytes.
const lzmaHeader = 13

// lzmaAlone reports whether the end of a file could begin one in the format that came before xz, as far as there is
// enough of it. Python's reader, which Bakta uses, tries that behind a stream, zeros included, and lzip files
// (liblzma 5.4, lzma_auto_decoder); it passes over what can be neither.
func lzmaAlone(b []byte) bool {
	lc, lp, pb := b[0]%9, b[0]/9%5, b[0]/45
	if pb > 4 || lc+lp > 4 {
		return false
	}
	if len(b) < 5 {
		return true
	}
	// The size of the window has at most its two highest bits set, or all.
	if w := binary.LittleEndian.Uint32(b[1:]); w != 1<<32-1 {
		d := w - 1
		for _, shift := range []int{2, 3, 4, 8, 16} {
			d |= d >> shift
		}
		if d+1 != w {
			return false
		}
	}
	if len(b) < lzmaHeader {
		return true
	}
	size := binary.LittleEndian.Uint64(b[5:])
	return size == 1<<64-1 || size < 1<<38
}

// beginBlock reads the header of a block and begins to decompress it.
func (x *xzStreams) beginBlock(size int) error {
	x.start, x.size, x.limited = x.raw.n, 0, 0
	header, err := x.checked(size)
	if err != nil {
		return err
	}
	flags := header[1]
	if flags&0x3c != 0 {
		return errXZ
	}
	if flags&0x03 != 0 {
		return ErrUnseen // more than one filter
	}
	rest := header[2:]
	for _, size := range []byte{0x40, 0x80} { // sizes of the block, compressed and not
		for more := flags&size != 0; more && len(rest) > 0; rest = rest[1:] {
			more = rest[0]&0x80 != 0
		}
	}
	if len(rest) < 3 || rest[0] != 0x21 || rest[1] != 1 {
		return ErrUnseen // not LZMA2
	}
	window, err := lzma.DecodeDictCap(rest[2])
	if err != nil {
		return errXZ
	}
	if window > xzWindow {
		window, x.limited = xzWindow, xzWindow
	}
	if x.windows += window; x.windows > xzWindows || len(x.blocks) == maxBlocks {
		return ErrUnseen
	}
	switch x.check = nil; x.flags[1] {
	case 1:
		x.check = crc32.NewIEEE()
	case 4:
		x.check = crc64.New(crcTable)
	case 10:
		x.check = sha256.New()
	}
	if x.content, err = (lzma.Reader2Config{DictCap: int(window)}).NewReader2(x.raw); err != nil {
		return x.broken(err)
	}
	return nil
}

// endBlock reads what stands behind the content of a block.
func (x *xzStreams) endBlock() error {
	x.content = nil
	data := x.raw.n - x.start
	padding, err := x.bytes(int(-data & 3))
	if err != nil {
		return err
	}
	if len(bytes.Trim(padding, "\x00")) > 0 {
		return errXZ
	}
	// The size of a check goes by its kind, also of one that is not known.
	size := []int{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}[x.flags[1]]
	sum, err := x.bytes(size)
	if err != nil {
		return err
	}
	if x.check != nil {
		want := x.check.Sum(nil)
		if x.flags[1] != 10 { // checksums are numbers, with the lowest byte first
			for i, j := 0, len(want)-1; i < j; i, j = i+1, j-1 {
				want[i], want[j] = want[j], want[i]
			}
		}
		if !bytes.Equal(sum, want) {
			return errXZ
		}
	}
	x.blocks = append(x.blocks, xzRecord{data + int64(size), x.size})
	return nil
}

// endStream reads the index and the footer of a stream.
func (x *xzStreams) endStream() error {
	index := crc32.NewIEEE()
	start := x.raw.n
	in := &byteReader{r: io.TeeReader(x.raw, index)}
	if _, err := in.ReadByte(); err != nil { // the zero
		return io.ErrUnexpectedEOF
	}
	want := []int64{int64(len(x.blocks))}
	for _, b := range x.blocks {
		want = append(want, b.unpadded, b.size)
	}
	for _, n := range want {
		got, err := binary.ReadUvarint(in)
		if err != nil {
			return x.broken(err)
		}
		if got != uint64(n) { //nolint:gosec // sizes are not negative
			return errXZ
		}
	}
	for (x.raw.n-start)%4 != 0 {
		if b, err := in.ReadByte(); err != nil || b != 0 {
			return x.broken(err)
		}
	}
	sum, err := x.bytes(4)
	if err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(sum) != index.Sum32() {
		return errXZ
	}
	size := x.raw.n - start
	footer, err := x.bytes(12)
	if err != nil {
		return err
	}
	if crc32.ChecksumIEEE(footer[4:10]) != binary.LittleEndian.Uint32(footer) || int64(binary.LittleEndian.Uint32(footer[4:])+1)*4 != size ||
		[2]byte(footer[8:10]) != x.flags || string(footer[10:]) != "YZ" {
		return errXZ
	}
	return nil
}

// countingReader counts what is read, and gives single bytes so that no more is read than is asked for.
type countingReader struct {
	r *bufio.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (c *countingReader) ReadByte() (byte, error) {
	b, err := c.r.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}

// byteReader gives the bytes of a reader one by one.
type byteReader struct {
	r io.Reader
	b [1]byte
}

func (b *byteReader) ReadByte() (byte, error) {
	_, err := io.ReadFull(b.r, b.b[:])
	return b.b[0], err
}
