package client

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"hash"
	"net/http"
	"strconv"
	"strings"
)

// content compares a download with its ETag. Storages make the ETag of an object that was stored by one PUT of its MD5
// checksum, and that of an object that was stored in parts of the MD5 of the parts' MD5s, a dash and their number. What
// is encrypted with a key of its owner or of a key service has an ETag that says nothing of the content; so may have
// objects of storages that don't speak of MD5 at all, which show by their form. A nil content is intact.
type content struct {
	want  []byte    // what the ETag has
	size  int64     // bytes of a part; 0: there is one part
	parts hash.Hash // of the parts' checksums
	part  hash.Hash // of the part under way
	left  int64     // bytes of the part under way that are still to come
}

// partSizes are the sizes in which this backend stores what has parts, in bytes; see lib/store/s3. A test holds that they are.
var partSizes = []int64{16 << 20, 5 << 20}

// contentOf reads the headers of an answer that begins an object of that size, -1 if it isn't known.
func contentOf(header http.Header, size int64) *content {
	switch header.Get("X-Amz-Server-Side-Encryption") {
	case "", "AES256":
	default:
		return nil
	}
	if header.Get("X-Amz-Server-Side-Encryption-Customer-Algorithm") != "" {
		return nil
	}
	sum, number, inParts := strings.Cut(strings.Trim(header.Get("ETag"), `"`), "-")
	want, err := hex.DecodeString(sum)
	if err != nil || len(want) != md5.Size {
		return nil
	}
	c := &content{want: want, parts: md5.New(), part: md5.New()}
	if !inParts {
		return c
	}
	parts, err := strconv.ParseInt(number, 10, 32)
	if err != nil || parts < 1 || size < 0 {
		return nil
	}
	for _, partSize := range partSizes {
		if max(1, (size+partSize-1)/partSize) == parts {
			c.size, c.left = partSize, partSize
			return c
		}
	}
	return nil // in parts of another size, by somebody else
}

// add takes the next bytes.
func (c *content) add(b []byte) {
	if c == nil {
		return
	}
	for c.size > 0 && int64(len(b)) >= c.left {
		c.part.Write(b[:c.left])
		b = b[c.left:]
		c.endPart()
	}
	c.part.Write(b)
	c.left -= int64(len(b))
}

func (c *content) endPart() {
	c.parts.Write(c.part.Sum(nil))
	c.part.Reset()
	c.left = c.size
}

// intact reports whether all that was added is what the ETag stands for. Nothing can be added afterwards.
func (c *content) intact() bool {
	if c == nil {
		return true
	}
	if c.size == 0 {
		return bytes.Equal(c.part.Sum(nil), c.want)
	}
	if c.left < c.size {
		c.endPart()
	}
	return bytes.Equal(c.parts.Sum(nil), c.want)
}
