package standin

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"strings"
)

// strands in the order of the plot's rings, from the outside; ringRadius and ringWidth are parts of half the
// picture's width.
const (
	strands   = "+-."
	ringWidth = 0.10
)

var ringColor = [...]color.RGBA{{0x1b, 0x6c, 0xa8, 0xff}, {0xc8, 0x55, 0x3d, 0xff}, {0x80, 0x80, 0x80, 0xff}}

func ringRadius(ring int) float64 { return 0.9 - 0.12*float64(ring) } // of its outer edge

// eachArc lays all sequences around one circle and calls do with every feature's ring, and where on the circle
// it begins and ends, from 0 to 1.
func (a *annotation) eachArc(do func(ring int, from, to float64)) {
	offset := 0
	for _, s := range a.sequences {
		for _, f := range s.features {
			from, to := float64(offset+f.Start-1), float64(offset+f.Stop)
			do(strings.Index(strands, f.Strand), from/float64(a.stats.Size), to/float64(a.stats.Size))
		}
		offset += s.Length
	}
}

// writePNG paints the plot and puts the notice into a text chunk.
func (a *annotation) writePNG(w io.Writer) error {
	const width, slots = 600, 7200
	var taken [len(strands)][slots]bool
	a.eachArc(func(ring int, from, to float64) {
		for i := int(from * slots); i < slots && i <= int(to*slots); i++ {
			taken[ring][i] = true
		}
	})
	picture := image.NewRGBA(image.Rect(0, 0, width, width))
	for y := range width {
		for x := range width {
			dx, dy := float64(x)-width/2+0.5, float64(y)-width/2+0.5
			radius := math.Hypot(dx, dy) / (width / 2)
			turn := math.Mod(math.Atan2(dx, -dy)/(2*math.Pi)+1, 1)
			shade := color.RGBA{0xff, 0xff, 0xff, 0xff}
			for ring := range strands {
				if radius <= ringRadius(ring) && radius > ringRadius(ring)-ringWidth {
					shade = color.RGBA{0xee, 0xee, 0xee, 0xff}
					if taken[ring][int(turn*slots)%slots] {
						shade = ringColor[ring]
					}
				}
			}
			picture.SetRGBA(x, y, shade)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		return err
	}
	w.Write(b.Next(33)) // the signature and the header's chunk; a text chunk may follow
	text := append([]byte("tEXtComment\x00"), notice...)
	binary.Write(w, binary.BigEndian, uint32(len(text)-len("tEXt")))
	w.Write(text)
	binary.Write(w, binary.BigEndian, crc32.ChecksumIEEE(text))
	_, err := b.WriteTo(w)
	return err
}

func (a *annotation) writeSVG(w io.Writer) error {
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1 -1 2 2" width="600" height="600">
<title>%s</title>
<rect x="-1" y="-1" width="2" height="2" fill="white"/>
<text y="-0.05" font-size="0.08" text-anchor="middle">%d bp</text>
<text y="0.08" font-size="0.05" text-anchor="middle">stand-in, not a Bakta annotation</text>
`, notice, a.stats.Size)
	a.eachArc(func(ring int, from, to float64) {
		radius := ringRadius(ring) - ringWidth/2
		to = math.Min(to, from+0.9999) // a full circle would end where it began, and be drawn as nothing
		long := int(math.Round(to - from))
		y1, x1 := math.Sincos(2 * math.Pi * (from - 0.25))
		y2, x2 := math.Sincos(2 * math.Pi * (to - 0.25))
		c := ringColor[ring]
		fmt.Fprintf(w, `<path d="M%.5f %.5fA%.2f %[3]f 0 %d 1 %.5f %.5f" fill="none" stroke="#%02x%02x%02x" stroke-width="%.2f"/>`+"\n",
			radius*x1, radius*y1, radius, long, radius*x2, radius*y2, c.R, c.G, c.B, ringWidth)
	})
	_, err := fmt.Fprintln(w, "</svg>")
	return err
}
