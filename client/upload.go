package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"sync/atomic"
)

// Content is something to upload. It may be opened more than once, because an interrupted upload restarts.
type Content struct {
	Size int64 // bytes, exactly
	Open func() (io.ReadCloser, error)
}

// FileContent returns the content of a file. The file must keep its current size.
func FileContent(path string) (Content, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Content{}, err
	}
	if !info.Mode().IsRegular() {
		return Content{}, fmt.Errorf("%s is not a regular file", path)
	}
	return Content{Size: info.Size(), Open: func() (io.ReadCloser, error) { return os.Open(path) }}, nil
}

// BytesContent returns content in memory.
func BytesContent(content []byte) Content {
	return Content{Size: int64(len(content)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}}
}

// transferTries bounds the attempts of an upload or a download: a proxy may interrupt each one at the same byte.
const transferTries = 8

// Upload sends content to an upload link. progress, if not nil, is called by another goroutine with the number of bytes sent so far. The
// number restarts at zero if the upload does.
func (c *Client) Upload(ctx context.Context, link string, content Content, progress func(sent int64)) error {
	return c.upload(ctx, link, nil, content, progress)
}

// upload is Upload with headers.
func (c *Client) upload(ctx context.Context, link string, headers http.Header, content Content, progress func(sent int64)) error {
	err := c.retry(ctx, transferTries, func() (bool, error) {
		return c.put(ctx, link, headers, content, progress)
	})
	if err != nil {
		return fmt.Errorf("uploading: %w", err)
	}
	return nil
}

// put makes one attempt, and reports whether bytes were sent.
func (c *Client) put(ctx context.Context, link string, headers http.Header, content Content, progress func(int64)) (bool, error) {
	ctx, moving, stop := stalling(ctx)
	defer stop()
	var sent atomic.Int64
	var broken atomic.Pointer[error] // of the content's reader
	open := func() (io.ReadCloser, error) {
		source, err := content.Open()
		if err != nil {
			broken.CompareAndSwap(nil, &err)
			return nil, err
		}
		sent.Store(0)
		m := &meter{ReadCloser: source}
		m.read = func(n int, err error) {
			moving()
			// The transport closes a body that it no longer needs, possibly during a read.
			if err != nil && !errors.Is(err, io.EOF) && !m.closed.Load() {
				broken.CompareAndSwap(nil, &err)
			}
			if total := sent.Add(int64(n)); progress != nil && n > 0 {
				progress(total)
			}
		}
		return m, nil
	}
	body, err := open()
	if err != nil {
		return false, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, link, body)
	if err != nil {
		body.Close()
		return false, fmt.Errorf("the server's upload link is not a URL: %w", withoutURL(err))
	}
	maps.Copy(request.Header, headers)
	request.ContentLength, request.GetBody = content.Size, open
	if content.Size == 0 {
		body.Close()
		request.Body, request.GetBody = http.NoBody, func() (io.ReadCloser, error) { return http.NoBody, nil }
	}
	response, err := c.do(c.storage, request)
	if cause := broken.Load(); cause != nil {
		// Reading the content failed, not the network.
		return false, *cause
	}
	if err != nil {
		return sent.Load() > 0, stalled(ctx, err)
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(response.Body, maxRefusal))
	if response.StatusCode/100 != 2 {
		return false, storageRefusal(response, answer)
	}
	if progress != nil {
		progress(content.Size)
	}
	return true, nil
}

// meter reports each read of a stream.
type meter struct {
	io.ReadCloser
	closed atomic.Bool
	read   func(n int, err error)
}

func (m *meter) Close() error {
	m.closed.Store(true)
	return m.ReadCloser.Close()
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	m.read(n, err)
	return n, err
}
