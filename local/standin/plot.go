package standin

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
)

// ringColor is the colour of the coding sequences of each strand, which has a ring of its own.
var ringColor = map[string]color.RGBA{"+": {0x1b, 0x6c, 0xa8, 0xff}, "-": {0xc8, 0x55, 0x3d, 0xff}}

// writePNG draws all sequences around one circle.
func (a *annotation) writePNG(w io.Writer) error {
	const width, points = 400, 1000 // pixels, and points on an arc
	picture := image.NewRGBA(image.Rect(0, 0, width, width))
	offset, size := map[string]int{}, 0
	for _, s := range a.Sequences {
		offset[s.ID] = size
		size += s.Length
	}
	for _, f := range a.Features {
		outer := map[string]int{"+": 190, "-": 160}[f.Strand]
		for at := range points {
			turn := (float64(offset[f.Sequence]+f.Start) + float64((f.Stop-f.Start)*at)/points) / float64(size)
			y, x := math.Sincos(2 * math.Pi * (turn - 0.25))
			for radius := range 20 {
				r := float64(outer - radius)
				picture.SetRGBA(width/2+int(r*x), width/2+int(r*y), ringColor[f.Strand])
			}
		}
	}
	return png.Encode(w, picture)
}

// writeSVG writes the same picture, embedded.
func (a *annotation) writeSVG(w io.Writer) error {
	var picture bytes.Buffer
	if err := a.writePNG(&picture); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="600" height="600"><title>%s</title>`+
		`<image width="600" height="600" href="data:image/png;base64,%s"/>`+
		`<text x="180" y="300">stand-in, not a Bakta annotation</text></svg>`+"\n", notice, base64.StdEncoding.EncodeToString(picture.Bytes()))
	return err
}
