package cli

import "strings"

// tail finds what is new in a log that is read again and again, whole. A run that was interrupted is run again,
// with a new log in the old one's place.
type tail struct{ seen string }

// next returns what is new. again reports that it is the beginning of another run's log.
func (t *tail) next(whole string) (text string, again bool) {
	switch {
	case strings.HasPrefix(whole, t.seen):
		text = whole[len(t.seen):]
	case strings.HasPrefix(t.seen, whole):
		return "", false // on its way from the run to the storage; or another machine's look, which lags behind
	default:
		text, again = whole, true
	}
	t.seen = whole
	return text, again
}
