package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// Download downloads a file and returns its size in bytes. The file appears at the path when it is complete, and replaces an existing
// one. An interrupted download continues where it stopped, if the object behind the link has not changed. progress, if not nil, is
// called with the number of bytes received so far, and of all bytes, -1 if not known.
//
// Download compares the file with the size that the object storage reports, and with the ETag if that is made of MD5 checksums (see
// content). A file larger than Options.MaxDownload is an ErrTooLarge.
func (c *Client) Download(ctx context.Context, link, path string, progress func(done, total int64)) (int64, error) {
	size, err := c.download(ctx, link, path, progress)
	if err != nil {
		return 0, fmt.Errorf("downloading %s: %w", path, err)
	}
	return size, nil
}

func (c *Client) download(ctx context.Context, link, path string, progress func(done, total int64)) (int64, error) {
	// O_EXCL and a random name: two downloads to the same place must not write into one file.
	part := path + "." + strings.ToLower(rand.Text()[:8]) + ".part"
	file, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return 0, err
	}
	got := &partial{file: file, limit: c.options.MaxDownload, progress: progress}
	err = c.retry(ctx, transferTries, func() (bool, error) { return c.get(ctx, link, got) })
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		return 0, errors.Join(err, os.Remove(part))
	}
	return got.size, nil
}

// partial is an incomplete download.
type partial struct {
	file     *os.File
	size     int64    // bytes received
	limit    int64    // maximum number of bytes
	etag     string   // of the object
	content  *content // of the bytes received; nil if the ETag is not a checksum
	progress func(done, total int64)
}

// restart discards what was received.
func (p *partial) restart() error {
	p.size, p.etag, p.content = 0, "", nil
	if _, err := p.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return p.file.Truncate(0)
}

// get makes one attempt, and reports whether it received bytes.
func (c *Client) get(ctx context.Context, link string, to *partial) (bool, error) {
	ctx, moving, stop := stalling(ctx)
	defer stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return false, fmt.Errorf("the server's download link is not a URL: %w", withoutURL(err))
	}
	// A compressed answer would not show the size.
	request.Header.Set("Accept-Encoding", "identity")
	if to.size > 0 && to.etag != "" {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", to.size))
		request.Header.Set("If-Range", to.etag)
	}
	response, err := c.do(c.storage, request)
	if err != nil {
		return false, stalled(ctx, err)
	}
	defer response.Body.Close()
	total, err := to.expect(response)
	if err != nil {
		return false, err
	}
	before := to.size
	buffer := make([]byte, 64<<10)
	for {
		n, readErr := response.Body.Read(buffer)
		if n > 0 {
			moving()
			if err := to.write(buffer[:n]); err != nil {
				return false, err // the disk failed, or the file is too large: another attempt would fail, too
			}
			if to.progress != nil {
				to.progress(to.size, total)
			}
		}
		if errors.Is(readErr, io.EOF) {
			break
		}
		if readErr != nil {
			return to.size > before, stalled(ctx, &transient{err: withoutURL(readErr)})
		}
	}
	if total >= 0 && to.size != total {
		got := to.size
		if err := to.restart(); err != nil {
			return false, err
		}
		return false, &transient{err: fmt.Errorf("received %d bytes instead of %d", got, total)}
	}
	if !to.content.intact() {
		etag := to.etag
		if err := to.restart(); err != nil {
			return false, err
		}
		return false, &transient{err: fmt.Errorf("the received file is damaged: it does not match the ETag %s of the object storage", etag)}
	}
	return true, nil
}

// write takes the next bytes.
func (p *partial) write(b []byte) error {
	if p.size+int64(len(b)) > p.limit {
		return tooLarge(p.limit)
	}
	if _, err := p.file.Write(b); err != nil {
		return err
	}
	p.size += int64(len(b))
	p.content.add(b)
	return nil
}

// ErrTooLarge is in the chain of a download's error if the file exceeds Options.MaxDownload.
var ErrTooLarge = errors.New("the file exceeds the limit of a download")

func tooLarge(limit int64) error { return fmt.Errorf("%w, %d bytes", ErrTooLarge, limit) }

// expect returns the size of the whole file according to the header of an answer, -1 if not known. It discards what was received if
// the answer does not continue it.
func (p *partial) expect(response *http.Response) (total int64, err error) {
	switch response.StatusCode {
	case http.StatusOK:
		if err := p.restart(); err != nil {
			return 0, err
		}
		if response.ContentLength > p.limit {
			return 0, tooLarge(p.limit)
		}
		if etag := response.Header.Get("ETag"); !strings.HasPrefix(etag, "W/") {
			p.etag, p.content = etag, contentOf(response.Header, response.ContentLength)
		}
		return response.ContentLength, nil
	case http.StatusPartialContent:
		var first, last int64
		if n, _ := fmt.Sscanf(response.Header.Get("Content-Range"), "bytes %d-%d/%d", &first, &last, &total); n == 3 && first == p.size {
			return total, nil
		}
		fallthrough
	case http.StatusRequestedRangeNotSatisfiable:
		if err := p.restart(); err != nil {
			return 0, err
		}
		return 0, &transient{err: errors.New("the object storage returned another range than requested")}
	}
	answer, _ := io.ReadAll(io.LimitReader(response.Body, maxRefusal))
	return 0, storageRefusal(response, answer)
}
