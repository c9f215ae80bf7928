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

// Download fetches what is behind a download link into a file, and returns its size. The file is there when it
// is complete and not before; one that was there is replaced. A download that breaks off goes on where it
// stopped, as long as the object behind the link is the same one. progress, if given, is told the bytes that are
// there so far, and their number in all, or -1 when that isn't known.
//
// What arrived is compared with the size that the storage names, and with the ETag where that is made of MD5 checksums
// (see content). A file larger than Options.MaxDownload is an error.
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

// partial is a download under way.
type partial struct {
	file     *os.File
	size     int64    // bytes that are there
	limit    int64    // bytes that there may be
	etag     string   // of the object that they are of
	content  *content // of what is there; nil if the ETag says nothing of it
	progress func(done, total int64)
}

// restart throws away what is there.
func (p *partial) restart() error {
	p.size, p.etag, p.content = 0, "", nil
	if _, err := p.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return p.file.Truncate(0)
}

// get makes one attempt, and reports whether bytes arrived.
func (c *Client) get(ctx context.Context, link string, to *partial) (bool, error) {
	ctx, moving, stop := stalling(ctx)
	defer stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return false, fmt.Errorf("the server's download link is no URL: %w", withoutURL(err))
	}
	// Compression on the way would hide the size.
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
				return false, err // the disk is at fault, or the file is too large: trying again doesn't help
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
		return false, &transient{err: fmt.Errorf("%d bytes arrived, and not %d", got, total)}
	}
	if !to.content.intact() {
		etag := to.etag
		if err := to.restart(); err != nil {
			return false, err
		}
		return false, &transient{err: fmt.Errorf("what arrived is damaged: it is not the content that the storage's ETag %s stands for", etag)}
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

// ErrTooLarge is in the chain of a download's error if the file has more bytes than the client may download.
var ErrTooLarge = errors.New("the file is larger than a download may be")

func tooLarge(limit int64) error { return fmt.Errorf("%w, which is %d bytes", ErrTooLarge, limit) }

// expect reads from the beginning of an answer how many bytes there will be in all, -1 if that isn't told. If the
// answer doesn't go on where the file stops, the file begins anew.
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
		return 0, &transient{err: errors.New("the object storage answers with another part than was asked for")}
	}
	answer, _ := io.ReadAll(io.LimitReader(response.Body, maxRefusal))
	return 0, storageRefusal(response, answer)
}
