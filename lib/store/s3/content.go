package s3

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// body is the content of an object that is downloaded.
type body struct {
	io.ReadCloser
	object string
}

// Read reads content. It returns io.EOF only after the complete content, whose size HTTP announces.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = failed("reading "+b.object, err)
	}
	return n, err
}

// source is content that is uploaded. It returns the last byte only after it has checked the size, so that no object of another
// size is stored: a client that knows the size does not read beyond it.
type source struct {
	content io.Reader
	size    int64 // -1: not known
	read    int64
	err     error // of the content
}

// seekable is a source that can be sent again.
type seekable struct {
	*source
	seeker io.Seeker
	start  int64
}

var errLonger = errors.New("it is longer than its size")

// newSource returns a source, and a reader of it.
func newSource(content io.Reader, size int64) (*source, io.Reader, error) {
	s := &source{content: content, size: size}
	if seeker, ok := content.(io.Seeker); ok {
		// A pipe is a file, too, but can't be sent again.
		if start, err := seeker.Seek(0, io.SeekCurrent); err == nil {
			return s, &seekable{s, seeker, start}, s.checkEmpty()
		}
	}
	return s, s, s.checkEmpty()
}

// small is how many bytes of content of unknown size are read to find its size.
const small = 1 << 20

// measure finds the size of small content, so that one request, which can be repeated, can store it. It returns a reader that
// replaces the content, and the size or -1.
func measure(content io.Reader) (io.Reader, int64, error) {
	begin, err := io.ReadAll(io.LimitReader(content, small))
	if err != nil {
		return nil, 0, err
	}
	if len(begin) < small {
		return bytes.NewReader(begin), int64(len(begin)), nil
	}
	return io.MultiReader(bytes.NewReader(begin), content), -1, nil
}

// checkEmpty checks that content of size 0 is empty, because the client never reads it.
func (s *source) checkEmpty() error {
	if s.size == 0 {
		return s.end()
	}
	return nil
}

// Read reads content, but not beyond its size.
func (s *source) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if s.size >= 0 && int64(len(p)) > s.size-s.read {
		p = p[:s.size-s.read]
	}
	if len(p) == 0 {
		if s.size >= 0 && s.read == s.size {
			return 0, io.EOF
		}
		return 0, nil
	}
	n, err := s.content.Read(p)
	s.read += int64(n)
	switch {
	case s.size >= 0 && s.read == s.size:
		err = s.end()
	case errors.Is(err, io.EOF) && s.size >= 0:
		err = fmt.Errorf("it ends after %d of %d bytes: %w", s.read, s.size, io.ErrUnexpectedEOF)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
		return 0, err
	}
	return n, err
}

// end checks that the content has ended.
func (s *source) end() error {
	var one [1]byte
	for {
		n, err := s.content.Read(one[:])
		switch {
		case n > 0:
			return errLonger
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// Seek can only return to the beginning of the content, for a repeated request.
func (s *seekable) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekStart || offset != 0 {
		return 0, errors.ErrUnsupported
	}
	if _, err := s.seeker.Seek(s.start, io.SeekStart); err != nil {
		s.err = err
		return 0, err
	}
	s.read, s.err = 0, nil
	return 0, nil
}
