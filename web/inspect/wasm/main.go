//go:build js && wasm

// Command wasm is what the page runs in the browser as WebAssembly: package inspect. `make` builds it into web/inspect/built, from where
// the page's server takes it.
//
// It sets the function baktaInspect of a Web Worker: one request in JSON and the files that it is about, one answer in JSON. A file is read
// in slices with FileReaderSync, so that none is ever in memory as a whole.
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
		files := make([]inspect.File, len(args)-1)
		for i, file := range args[1:] {
			files[i] = inspect.File{Open: func() io.Reader { return newFile(file) }, Size: int64(file.Get("size").Float())}
		}
		return string(inspect.Answer([]byte(args[0].String()), files))
	}))
	js.Global().Call("postMessage", "ready")
	select {}
}

// slice is how much of a file is read at once, in bytes.
const slice = 256 << 10

// file reads a File of the browser.
type file struct {
	blob   js.Value
	reader js.Value
	at     float64
	size   float64
	left   []byte // of what was read
	buffer []byte
}

func newFile(blob js.Value) *file {
	return &file{blob: blob, reader: js.Global().Get("FileReaderSync").New(), size: blob.Get("size").Float(), buffer: make([]byte, slice)}
}

// Read implements io.Reader. A file that was changed or removed since it was chosen can't be read any more.
func (f *file) Read(p []byte) (n int, err error) {
	defer func() {
		if e := recover(); e != nil {
			n, err = 0, inspect.ErrUnreadable
		}
	}()
	if len(f.left) == 0 {
		if f.at >= f.size {
			return 0, io.EOF
		}
		end := min(f.size, f.at+slice)
		array := js.Global().Get("Uint8Array").New(f.reader.Call("readAsArrayBuffer", f.blob.Call("slice", f.at, end)))
		read := js.CopyBytesToGo(f.buffer, array)
		if read == 0 {
			return 0, io.ErrUnexpectedEOF
		}
		f.at += float64(read)
		f.left = f.buffer[:read]
	}
	n = copy(p, f.left)
	f.left = f.left[n:]
	return n, nil
}
