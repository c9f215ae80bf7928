package upload

import (
	"encoding/binary"
	"io"
	"math"
	"slices"
)

// A Prodigal training file is a C structure of Prodigal's as it lies in memory. It has no signature. Bakta
// refuses one that is too short, hours into the run; one that is long enough is believed whatever it holds, and
// wrong content makes Bakta crash, or find no genes and succeed. So its fields are checked, too.
const (
	trainingSize = 558_392 // bytes, on any machine that Bakta runs on

	trainingGC      = 0  // double: share of G and C
	trainingTable   = 8  // int32: translation table
	trainingStart   = 16 // double: weight of start codons, the first of six
	trainingSD      = 72 // int32: whether the Shine-Dalgarno motif is used
	trainingWeights = 80 // doubles to the end: weights of motifs and codons
)

// trainingTables are the translation tables that Prodigal can be trained with.
var trainingTables = []uint32{1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14, 15, 16, 21, 22, 23, 24, 25}

// maxWeight bounds the weights, which are logarithms of ratios: Prodigal's own stay below ten.
const maxWeight = 1000

// inspectTraining reports why a Prodigal training file can't be used.
func inspectTraining(r io.Reader) error {
	const advice = "upload the file that \"prodigal -t\" wrote, as it is"
	content, err := io.ReadAll(io.LimitReader(r, trainingSize+1))
	switch {
	case err != nil:
		return readingError(err)
	case blank(content):
		return ErrBlank
	case len(content) != trainingSize:
		if len(content) > 0 && content[0] == '>' {
			return refuse("The Prodigal training file seems to be a FASTA file; %s.", advice)
		}
		if what := guess(content[:min(len(content), headSize)]); what != "" && what != "a binary file" {
			return refuse("The Prodigal training file seems to be %s; %s.", what, advice)
		}
		if len(content) < trainingSize {
			return refuse("The Prodigal training file has %d bytes, and such files have %d; %s.", len(content), trainingSize, advice)
		}
		return refuse("The Prodigal training file has more than %d bytes, which is what such files have; %s.", trainingSize, advice)
	}
	number := func(at int) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(content[at:])) }
	integer := func(at int) uint32 { return binary.LittleEndian.Uint32(content[at:]) }
	gc := number(trainingGC)
	sound := gc > 0 && gc < 1 && slices.Contains(trainingTables, integer(trainingTable)) && integer(trainingSD) <= 1
	for at := trainingStart; sound && at < trainingSD; at += 8 {
		sound = math.Abs(number(at)) <= maxWeight // false for NaN
	}
	for at := trainingWeights; sound && at < trainingSize; at += 8 {
		sound = math.Abs(number(at)) <= maxWeight
	}
	if !sound {
		return refuse("The Prodigal training file has the size of one, but other content; %s.", advice)
	}
	return nil
}
