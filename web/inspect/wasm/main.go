//go:build js && wasm

// Command wasm is what the page runs in the browser as WebAssembly: package inspect. `make` builds it into web/inspect/built, from where
// the page's server takes it.
//
// It sets the function baktaInspect of a Web Worker: one request in JSON, a function that takes the answer in JSON, and the files that the
// request is about. A file is read as a stream, so that none is ever in memory as a whole.
package main

import (
	"io"
	"runtime/debug"
	"syscall/js"

	"github.com/ag-computational-bio/bakta-web-backend/web/inspect"
)

func main() {
	// WebAssembly's memory never shrinks, so it is better collected early: the page checks hundreds of files one after the other.
	debug.SetGCPercent(50)
	js.Global().Set("baktaInspect", js.FuncOf(func(_ js.Value, args []js.Value) any {
		request, answer, blobs := []byte(args[0].String()), args[1], args[2:]
		// Reading waits for the browser, which a function that the browser has called must not do.
		go func() {
			var opened []*file
			files := make([]inspect.File, len(blobs))
			for i, blob := range blobs {
				files[i] = inspect.File{
					Open: func() io.Reader {
						f := open(blob)
						opened = append(opened, f)
						return f
					},
					Size: int64(blob.Get("size").Float()),
				}
			}
			text := string(inspect.Answer(request, files))
			for _, f := range opened {
				f.close()
			}
			answer.Invoke(text)
		}()
		return nil
	}))
	js.Global().Call("postMessage", "ready")
	select {}
}

// slice is how much of a file is read at once, in bytes.
const slice = 256 << 10

// file reads a File of the browser.
type file struct {
	reader js.Value
	// array is where the browser reads to, again and again: what it allocates for each piece, it frees only when hundreds of megabytes
	// have gathered. Undefined in browsers that can't read a file to a given place.
	array  js.Value
	pieces chan js.Value
	take   js.Func
	fail   js.Func
	buffer []byte
	left   []byte // of what was read
	err    error  // once there is nothing more to read
}

func open(blob js.Value) *file {
	f := &file{pieces: make(chan js.Value, 1), buffer: make([]byte, slice)} // a read has one answer, so that nothing waits to send it
	f.take = js.FuncOf(func(_ js.Value, args []js.Value) any {
		f.pieces <- args[0]
		return nil
	})
	f.fail = js.FuncOf(func(js.Value, []js.Value) any {
		f.pieces <- js.Undefined()
		return nil
	})
	stream := blob.Call("stream")
	func() {
		defer func() {
			if recover() != nil { // a TypeError
				f.reader = stream.Call("getReader")
			}
		}()
		f.reader = stream.Call("getReader", map[string]any{"mode": "byob"})
		f.array = js.Global().Get("Uint8Array").New(slice)
	}()
	return f
}

// Read implements io.Reader. A file that was changed or removed since it was chosen can't be read any more.
func (f *file) Read(p []byte) (int, error) {
	for len(f.left) == 0 && f.err == nil {
		f.next()
	}
	if len(f.left) == 0 {
		return 0, f.err
	}
	n := copy(p, f.left)
	f.left = f.left[n:]
	return n, nil
}

// next waits for the next piece.
func (f *file) next() {
	var promise js.Value
	if f.array.IsUndefined() {
		promise = f.reader.Call("read")
	} else {
		promise = f.reader.Call("read", f.array)
	}
	promise.Call("then", f.take, f.fail)
	piece := <-f.pieces
	switch {
	case piece.IsUndefined():
		f.err = inspect.ErrUnreadable
	case piece.Get("done").Bool():
		f.err = io.EOF
	default:
		array := piece.Get("value")
		if size := array.Get("length").Int(); size > len(f.buffer) {
			f.buffer = make([]byte, size)
		}
		f.left = f.buffer[:js.CopyBytesToGo(f.buffer, array)]
		if !f.array.IsUndefined() {
			f.array = js.Global().Get("Uint8Array").New(array.Get("buffer")) // the same memory, which the piece took along
		}
	}
}

// ignore takes the error of a file that can't be read, which its reader has reported already.
var ignore = js.FuncOf(func(js.Value, []js.Value) any { return nil })

// close ends the reading of a file, of which maybe only a part was needed.
func (f *file) close() {
	f.reader.Call("cancel").Call("catch", ignore)
	f.take.Release()
	f.fail.Release()
}
