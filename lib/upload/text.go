package upload

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/ag-computational-bio/bakta-web-backend/lib/upload/compression"
	"github.com/klauspost/compress/zstd"
)

// maxTextLine bounds a line of a text upload, in bytes. The longest protein known has 46 thousand letters.
const maxTextLine = 1 << 20

// textFile reads a text upload line by line to its end, decompressed, whichever line ends it has and without a
// byte order mark. Some programs take a compressed file by its name alone, or not at all, and some no line ends but
// their own; so the file is rewritten for them.
type textFile struct {
	called string // what people call it
	number int    // of the line that next returned last, from 1
	packed bool   // it was compressed

	source  *source
	content *bounded
	scanner *bufio.Scanner
	closer  func()
	err     error // what kept it from being read, for the caller of all
}

// openText returns a reader of an upload that has at most limit bytes, decompressed. Close it.
func openText(r io.Reader, limit int64, called string) *textFile {
	t := &textFile{called: called, source: &source{r: r, left: math.MaxInt64}}
	content, ending, closer, err := compression.Open(bufio.NewReaderSize(t.source, 64<<10))
	t.packed, t.closer = ending != "", closer
	switch {
	case ending == ".xz":
		t.err = refuse("The %s is compressed with xz; upload it as it is, or compressed with gzip.", called)
		content = bytes.NewReader(nil)
	case err != nil:
		t.err = t.broken(err)
		content = bytes.NewReader(nil)
	}
	t.content = &bounded{r: content, left: limit}
	t.scanner = bufio.NewScanner(t.content)
	t.scanner.Buffer(make([]byte, 0, 64<<10), maxTextLine)
	t.scanner.Split(textLines)
	return t
}

// next returns the next line without its end, for as long as the line after it is not asked for. It reports false
// at the end and when the file can't be read any further; failure returns which.
func (t *textFile) next() ([]byte, bool) {
	// Before it returns an error, the scanner returns the piece of a line that came before it.
	if t.err != nil || !t.scanner.Scan() || t.content.err != nil {
		return nil, false
	}
	t.number++
	line := t.scanner.Bytes()
	if t.number == 1 {
		line = bytes.TrimPrefix(line, []byte(utf8BOM))
	}
	if !utf8.Valid(line) {
		t.err = refuse("The %s %s", t.called, notUTF8(line, t.number))
		return nil, false
	}
	return line, true
}

// failure returns why the file can't be read to its end, if that is so.
func (t *textFile) failure() error {
	if t.err != nil {
		return t.err
	}
	if t.content.err != nil {
		return t.broken(t.content.err)
	}
	if err := t.scanner.Err(); err != nil {
		return t.broken(err)
	}
	return nil
}

// broken says why a file can't be read.
func (t *textFile) broken(err error) error {
	switch {
	case t.source.err != nil:
		return readingError(t.source.err)
	case errors.Is(err, errTooLong):
		return refuse("The %s is too large; check that it is the right file.", t.called)
	case errors.Is(err, bufio.ErrTooLong):
		return refuse("The %s has a line of more than %d bytes in line %d; check that it is the right file.", t.called, maxTextLine, t.number+1)
	}
	if errors.Is(err, zstd.ErrWindowSizeExceeded) {
		return refuse(
			"The %s is compressed in a way that takes too much memory to read; upload it as it is, or compressed with gzip.",
			t.called,
		)
	}
	return refuse("The %s is a compressed file that is damaged or incomplete; compress and upload it again.", t.called)
}

// unpacked is the content of an upload, decompressed, that is read to its end without being kept.
type unpacked struct {
	ending  string // of the file's name, by what its compression is
	source  *source
	content io.Reader
	left    int64     // bytes that may be read yet
	until   time.Time // when no more is read
	closer  func()
	err     error // other than io.EOF
}

// openUnpacked returns a reader of an upload that has at most limit bytes as it came. Of a compressed one it gives
// maxUnpacking times that at most, and of any what it comes to within maxLook. Close it.
func openUnpacked(r io.Reader, limit int64) *unpacked {
	u := &unpacked{source: &source{r: r, left: math.MaxInt64}, left: maxUnpacking * limit, until: time.Now().Add(maxLook)}
	u.content, u.ending, u.closer, u.err = compression.Open(bufio.NewReaderSize(u.source, 64<<10))
	return u
}

// maxLook bounds how long the inspection of an upload that is not kept takes, whatever the storage and the machine are busy with:
// a start has to be answered, and waits for nothing else as long. A fault behind what is read shows when the program
// runs.
const maxLook = 10 * time.Second

// maxUnpacking is how much of a compressed upload is read, as a multiple of the largest upload of its kind.
const maxUnpacking = 2

func (u *unpacked) Read(p []byte) (int, error) {
	if u.err != nil {
		return 0, u.err
	}
	n, err := u.content.Read(p)
	switch u.left -= int64(n); {
	case u.left < 0:
		n, err = 0, errTooLong
	case err == nil && time.Now().After(u.until):
		err = compression.ErrUnseen
	}
	if err != io.EOF {
		u.err = err
	}
	return n, err
}

// broken reports whether the content could not be read to its end.
func (u *unpacked) broken() bool { return u.err != nil }

// partial reports whether there may be more than is read here.
func (u *unpacked) partial() bool {
	return errors.Is(u.err, errTooLong) || errors.Is(u.err, compression.ErrUnseen) || errors.Is(u.err, zstd.ErrWindowSizeExceeded)
}

// failure says why the content of a file that is called so can't be read further. It is nil at the end of all, or of all
// that can be decompressed here.
func (u *unpacked) failure(called string) error {
	switch {
	case u.source.err != nil:
		return readingError(u.source.err)
	case u.err == nil, u.partial():
		return nil
	}
	if errors.Is(u.err, compression.ErrFollowed) {
		return refuse("The %s is a compressed file (%s) with other data after its compressed data, and can't be read; compress "+
			"it as one file and upload it again.", called, u.ending)
	}
	return refuse("The %s is a compressed file (%s) that is damaged or incomplete; compress and upload it again.", called, u.ending)
}

func (u *unpacked) close() { u.closer() }

// close gives back what decompression holds.
func (t *textFile) close() { t.closer() }

// notUTF8 says what is wrong with a line that is no UTF-8 text, in words that go on after the name of the file.
func notUTF8(line []byte, number int) string {
	if number == 1 {
		if what := guess(line); what != "" {
			return "seems to be " + what + "; upload it as plain text."
		}
	}
	return "is not UTF-8 text in line " + strconv.Itoa(number) + "; save it as UTF-8, or remove letters with accents."
}

// errTooLong is why a bounded reader stopped.
var errTooLong = errors.New("too long")

// bounded is a reader that fails with errTooLong when there are more bytes than are left. What follows a gzip
// file and is none is passed over, as gzip itself does with zeros.
type bounded struct {
	r    io.Reader
	left int64
	any  bool
	err  error // other than io.EOF
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		n, err = 0, errTooLong
	}
	b.any = b.any || n > 0
	if errors.Is(err, compression.ErrFollowed) && b.any {
		err = io.EOF
	}
	if err != io.EOF {
		b.err = err
	}
	return n, err
}

// textLines splits a text into lines, each with any of the three line ends or none at the end of the text.
func textLines(data []byte, atEnd bool) (advance int, line []byte, err error) {
	if len(data) == 0 {
		return 0, nil, nil
	}
	i := bytes.IndexAny(data, "\r\n")
	switch {
	case i < 0 && atEnd:
		return len(data), data, nil
	case i < 0:
		return 0, nil, nil
	case data[i] == '\n':
		return i + 1, data[:i], nil
	case i+1 < len(data) && data[i+1] == '\n':
		return i + 2, data[:i], nil
	case i+1 == len(data) && !atEnd: // the other half of a line end may follow
		return 0, nil, nil
	}
	return i + 1, data[:i], nil
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
