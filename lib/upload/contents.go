package upload

// Contents is what an inspection counted in the file that a workflow is about, as far as it read it.
type Contents struct {
	// Sequences are those of a genome, at most 100,000. Of proteins none are remembered.
	Sequences []Sequence
	// Count is the number of all sequences.
	Count int
	// Letters is the number of bases or amino acids, without gaps.
	Letters int64
	// GC is the number of bases G and C, N that of bases N, Ambiguous that of the other codes for several bases. 0 for proteins.
	GC, N, Ambiguous int64
	// Whole says that the file was read to its end.
	Whole bool
}

// Sequence is a sequence of a genome.
type Sequence struct {
	ID       string // the first word of its header
	Length   int64  // bases
	Complete bool   // Bakta takes it for complete and circular by its header
}

// Contents returns what the inspection counted. It is the zero value before the file was inspected, and for an annotation. It is there also
// if the file was refused, up to the place where that was decided.
func (i *Inspection) Contents() Contents {
	if i.contents == nil {
		return Contents{}
	}
	return i.contents()
}

// contents returns what was counted in a genome.
func (s *fastaScan) contents() Contents {
	c := Contents{
		Count: s.count, Letters: s.classes[baseAT] + s.classes[baseGC] + s.classes[letterN] + s.classes[ambiguous],
		GC: s.classes[baseGC], N: s.classes[letterN], Ambiguous: s.classes[ambiguous], Whole: s.whole,
		Sequences: make([]Sequence, len(s.sequences)),
	}
	for i, one := range s.sequences {
		c.Sequences[i] = Sequence{ID: one.id, Length: one.bases, Complete: one.complete}
	}
	return c
}
