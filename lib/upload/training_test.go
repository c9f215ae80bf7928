package upload

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/internal/realbakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
)

// training returns a training file with plausible fields, changed by what is handed in.
func training(change func(b []byte)) []byte {
	b := make([]byte, trainingSize)
	setNumber(b, trainingGC, 0.53)
	binary.LittleEndian.PutUint32(b[trainingTable:], 11)
	setNumber(b, trainingStart, 4.35)
	binary.LittleEndian.PutUint32(b[trainingSD:], 1)
	for at := trainingWeights; at < trainingSize; at += 8 {
		setNumber(b, at, -4)
	}
	if change != nil {
		change(b)
	}
	return b
}

func setNumber(b []byte, at int, x float64) {
	binary.LittleEndian.PutUint64(b[at:], math.Float64bits(x))
}

func TestInspectTraining(t *testing.T) {
	random := make([]byte, trainingSize)
	source := rand.New(rand.NewPCG(1, 2))
	for i := range random {
		random[i] = byte(source.Uint32())
	}
	set := func(at int, x float64) []byte { return training(func(b []byte) { setNumber(b, at, x) }) }
	table := func(n uint32) []byte {
		return training(func(b []byte) { binary.LittleEndian.PutUint32(b[trainingTable:], n) })
	}
	for _, tt := range []struct {
		name    string
		content []byte
		says    string
	}{
		{"as it should be", training(nil), ""},
		{"of table 4", table(4), ""},
		{"of table 25", table(25), ""},
		{"without Shine-Dalgarno", training(func(b []byte) { b[trainingSD] = 0 }), ""},
		{"padding of any value", training(func(b []byte) { copy(b[trainingTable+4:], "\xff\xff\xff\xff"); copy(b[trainingSD+4:], "\xff") }), ""},
		{"a byte short", training(nil)[:trainingSize-1], "has 558391 bytes"},
		{"a byte long", append(training(nil), 0), "more than 558392 bytes"},
		{"GC 0", set(trainingGC, 0), "but other content"},
		{"GC 2", set(trainingGC, 2), "but other content"},
		{"GC not a number", set(trainingGC, math.NaN()), "but other content"},
		{"table 0", table(0), "but other content"},
		{"table 7", table(7), "but other content"},
		{"table -1", table(math.MaxUint32), "but other content"},
		{"Shine-Dalgarno 7", training(func(b []byte) { b[trainingSD] = 7 }), "but other content"},
		{"a weight not a number", set(trainingWeights, math.NaN()), "but other content"},
		{"the last weight infinite", set(trainingSize-8, math.Inf(1)), "but other content"},
		{"a start weight too large", set(trainingStart+48, 1e9), "but other content"},
		{"zeros", make([]byte, trainingSize), "but other content"},
		{"random bytes", random, "but other content"},
		{"text of the right size", bytes.Repeat([]byte("ACGT"), trainingSize/4), "but other content"},
		{"some text", []byte("ACGT"), "has 4 bytes"},
		{"FASTA", []byte(small), "seems to be a FASTA file"},
		{"GenBank", []byte("LOCUS       X"), "seems to be a GenBank file"},
		{"gzip", gzipped(training(nil)), "seems to be a gzip file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name, err := Inspect(ProdigalTrainingFile, bytes.NewReader(tt.content), option.Config{})
			switch {
			case tt.says == "":
				if err != nil || name != "training.trn" {
					t.Errorf("%s, %v", name, err)
				}
			case !job.Is(err, job.Invalid) || !strings.Contains(err.Error(), tt.says) || !strings.HasPrefix(err.Error(),
				"The Prodigal training file "):
				t.Errorf("%v; want %q", err, tt.says)
			}
		})
	}
	for _, s := range []string{"", " \n"} {
		if _, err := Inspect(ProdigalTrainingFile, strings.NewReader(s), option.Config{}); !errors.Is(err, ErrBlank) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// TestInspectTrainingAgrees takes the training files that the Prodigal inside the real Bakta writes, and has it
// read what the tests take for one.
func TestInspectTrainingAgrees(t *testing.T) {
	prefix := realbakta.Prefix(t)
	if prefix == "" {
		return
	}
	dir := realbakta.Train(t, prefix, training(nil))
	for _, name := range []string{"4.trn", "11.trn", "25.trn"} {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := Inspect(ProdigalTrainingFile, f, option.Config{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzInspectTraining(f *testing.F) {
	f.Add(0, []byte("\x00\x00"), 0)
	f.Add(trainingTable, []byte{4}, 0)
	f.Add(trainingSize-2, []byte("\xff\xff\xff"), -1)
	f.Fuzz(func(t *testing.T, at int, patch []byte, grow int) {
		b := training(nil)
		copy(b[uint(at)%trainingSize:], patch)
		if grow < 0 {
			b = b[:max(0, trainingSize+grow%trainingSize)]
		}
		_, err := Inspect(ProdigalTrainingFile, bytes.NewReader(b), option.Config{})
		if err != nil && !job.Is(err, job.Invalid) && !errors.Is(err, ErrBlank) {
			t.Error(err)
		}
		if err == nil && len(b) != trainingSize {
			t.Errorf("%d bytes were accepted", len(b))
		}
	})
}
