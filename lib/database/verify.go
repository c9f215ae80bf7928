package database

import (
	"bufio"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// sumsFile is an optional file beside the others, in the format of sha256sum.
const sumsFile = "SHA256SUMS"

// maxSums bounds it, in bytes. A reference database has some twenty files.
const maxSums = 1 << 20

// checksums reads the checksums of the source, if it has any.
func (f *fetch) checksums(ctx context.Context) (map[string]string, error) {
	sums := make(map[string]string)
	for _, file := range f.files {
		if file.Name != sumsFile {
			continue
		}
		if file.Size > maxSums {
			return nil, fmt.Errorf("%s has %d bytes, at most %d are allowed", sumsFile, file.Size, maxSums)
		}
		content, err := f.from.OpenAt(ctx, file.Key, file.ETag, 0)
		if err != nil {
			return nil, err
		}
		defer content.Close()
		lines := bufio.NewScanner(io.LimitReader(content, maxSums))
		for lines.Scan() {
			sum, name, ok := strings.Cut(lines.Text(), " ")
			name = strings.TrimPrefix(strings.TrimLeft(name, " *"), "./")
			if _, err := hex.DecodeString(sum); !ok || err != nil || len(sum) != 2*sha256.Size || name == "" {
				return nil, fmt.Errorf("%s: %q is not a line of sha256sum", sumsFile, lines.Text())
			}
			sums[name] = strings.ToLower(sum)
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("reading %s: %w", sumsFile, err)
		}
	}
	return sums, nil
}

// partSizes are the sizes of parts, in MiB, with which tools upload large files. S3's ETag of such a file depends on the size, but
// does not contain it.
var partSizes = [...]int64{5, 8, 10, 15, 16, 20, 25, 32, 50, 64, 100, 128, 200, 256, 512, 1024}

// errWrong is the error of a file whose content is not that of the source.
var errWrong = errors.New("the content does not match its checksum; run the command again to download it again")

// checksum returns the known checksum of a file, in hexadecimal digits, and the hashes of which one must be it: SHA-256, if the source has
// it, or else that of the ETag, which is an MD5 or made of MD5s. There are no hashes for the file of checksums: it is read line by line,
// and the ETags of a store that encrypts by a key of its own are no checksums.
func (f *fetch) checksum(file job.File) (want string, candidates []hash.Hash, err error) {
	if want, ok := f.sums[file.Name]; ok {
		return want, []hash.Hash{sha256.New()}, nil
	}
	if file.Name == sumsFile {
		return "", nil, nil
	}
	digest, count, isMulti := strings.Cut(file.ETag, "-")
	if want, err := hex.DecodeString(digest); err != nil || len(want) != md5.Size {
		return "", nil, fmt.Errorf("its ETag %q is not a checksum; put a file %s beside it, as sha256sum writes it", file.ETag, sumsFile)
	}
	if !isMulti {
		return strings.ToLower(digest), []hash.Hash{md5.New()}, nil
	}
	parts, err := strconv.ParseInt(count, 10, 64)
	if err != nil {
		return "", nil, fmt.Errorf("its ETag %q is not a checksum", file.ETag)
	}
	for _, mib := range partSizes {
		if size := mib << 20; (file.Size+size-1)/size == parts {
			candidates = append(candidates, &multipart{part: size})
		}
	}
	if len(candidates) == 0 {
		return "", nil, fmt.Errorf("it was uploaded in parts of an unusual size; put a file %s beside it, as sha256sum writes it", sumsFile)
	}
	return strings.ToLower(digest), candidates, nil
}

// verify reads a downloaded file and compares it with its checksum. The error is errWrong if it differs.
func (f *fetch) verify(ctx context.Context, file job.File) error {
	want, candidates, err := f.checksum(file)
	if err != nil || len(candidates) == 0 {
		return err
	}
	content, err := os.Open(f.part(file))
	if err != nil {
		return err
	}
	defer content.Close()
	var all []io.Writer
	for _, c := range candidates {
		all = append(all, c)
	}
	if err := read(ctx, content, io.MultiWriter(all...)); err != nil {
		return err
	}
	for _, c := range candidates {
		if hex.EncodeToString(c.Sum(nil)) == want {
			return nil
		}
	}
	return errWrong
}

// read copies a file until ctx ends.
func read(ctx context.Context, from io.Reader, to io.Writer) error {
	buffer := make([]byte, 1<<20)
	for ctx.Err() == nil {
		n, err := from.Read(buffer)
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// multipart is S3's checksum of a file that was uploaded in parts: the MD5 of the MD5s of the parts.
type multipart struct {
	part    int64
	current hash.Hash
	filled  int64
	sums    []byte
}

func (m *multipart) Write(b []byte) (int, error) {
	for n := len(b); ; {
		if m.current == nil {
			m.current = md5.New()
		}
		take := min(int64(len(b)), m.part-m.filled)
		m.current.Write(b[:take])
		m.filled += take
		b = b[take:]
		if m.filled == m.part {
			m.sums = m.current.Sum(m.sums)
			m.current, m.filled = nil, 0
		}
		if len(b) == 0 {
			return n, nil
		}
	}
}

func (m *multipart) Sum(b []byte) []byte {
	sums := m.sums
	if m.filled > 0 {
		sums = m.current.Sum(sums[:len(sums):len(sums)])
	}
	sum := md5.Sum(sums)
	return append(b, sum[:]...)
}

func (m *multipart) Reset()         { *m = multipart{part: m.part} }
func (m *multipart) Size() int      { return md5.Size }
func (m *multipart) BlockSize() int { return md5.BlockSize }
