package s3

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// body is an object's content on its way here.
type body struct {
	io.ReadCloser
	object string
}

// Read reads content. It ends with io.EOF only after all of it: HTTP knows how much there has to be.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = failed("reading "+b.object, err)
	}
	return n, err
}

// source is content on its way to the store. It gives away the last byte only when it has seen that the size is
// right, so that the store never holds an object of another size: a client that knows the size reads no further.
type source struct {
	content io.Reader
	size    int64 // -1: not known
	read    int64
	err     error // why it can't be read
}

// seekable is a source that can be sent again.
type seekable struct {
	*source
	seeker io.Seeker
	start  int64
}

var errLonger = errors.New("it is longer than its size")

// newSource returns a source, and the reader to read it by.
func newSource(content io.Reader, size int64) (*source, io.Reader, error) {
	s := &source{content: content, size: size}
	if seeker, ok := content.(io.Seeker); ok {
		// A pipe is a file, too, and can't be sent again.
		if start, err := seeker.Seek(0, io.SeekCurrent); err == nil {
			return s, &seekable{s, seeker, start}, s.checkEmpty()
		}
	}
	return s, s, s.checkEmpty()
}

// small is how much content of unknown size is read to learn its size, in bytes.
const small = 1 << 20

// measure learns the size of content that is small, so that it can be stored by one request, which can be sent
// again. It returns what is to be read in the content's place, and its size or -1.
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

// checkEmpty sees that nothing comes where nothing should: of an empty object nothing is ever read.
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

// end sees that nothing follows.
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

// Seek goes back to where the content began; that is all that sending again needs.
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
