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

// content compares a download with its ETag. The ETag of an object that was stored by one PUT is its MD5 checksum. That of a multipart
// upload is the MD5 of the parts' MD5s, a dash and their number. The ETag of an object that is encrypted with a key of its owner or of a
// key service is not a checksum of the content. Nor are those of some storages, which have another form. A nil content is intact.
type content struct {
	want  []byte    // the checksum in the ETag
	size  int64     // bytes of a part; 0: the object was not stored in parts
	parts hash.Hash // of the parts' checksums
	part  hash.Hash // of the current part
	left  int64     // bytes of the current part that are missing
}

// partSizes are the part sizes of this backend's multipart uploads, in bytes; see lib/store/s3. A test compares the two.
var partSizes = []int64{16 << 20, 5 << 20}

// contentOf reads the headers of an answer with an object from its first byte. The size is -1 if it is not known.
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
	return nil // another program stored it, in parts of another size
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

// intact reports whether the added bytes have the checksum of the ETag. Nothing can be added afterwards.
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
