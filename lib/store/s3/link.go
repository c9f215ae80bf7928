package s3

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// PresignPut returns a link that takes an upload for that long, from 1 s to 7 days. Whoever has it may send any
// content of any type. It makes no network call.
func (s *Store) PresignPut(ctx context.Context, key string, ttl time.Duration) (string, error) {
	object, err := s.object(key)
	if err != nil {
		return "", err
	}
	u, err := s.outside.PresignedPutObject(ctx, s.options.Bucket, object, ttl)
	if err != nil {
		return "", fmt.Errorf("making an upload link to %s for %s: %w", object, ttl, err)
	}
	return u.String(), nil
}

// PresignGet returns a link that downloads an object for that long, from 1 s to 7 days, under that file name, or
// under one as much like it as file systems allow. It makes no network call.
func (s *Store) PresignGet(ctx context.Context, key, fileName string, ttl time.Duration) (string, error) {
	object, err := s.object(key)
	if err != nil {
		return "", err
	}
	as := url.Values{
		"response-content-disposition": {attachment(fileName)},
		// Earlier versions had stores keep "aws-chunked" as an object's encoding, which is none that a client could
		// undo; libcurl refuses it. Stores take an empty value for none given, and every client knows this one.
		"response-content-encoding": {"identity"},
	}
	u, err := s.outside.PresignedGetObject(ctx, s.options.Bucket, object, ttl, as)
	if err != nil {
		return "", fmt.Errorf("making a download link to %s for %s: %w", object, ttl, err)
	}
	return u.String(), nil
}

// attachment returns the Content-Disposition (RFC 6266) that saves a file under a name: once in ASCII for old
// clients, once in full.
func attachment(fileName string) string {
	name := fileNameOf(fileName)
	ascii := strings.Map(func(r rune) rune {
		// Some clients decode percent signs here, though they should not.
		if r > unicode.MaxASCII || r == '%' {
			return '_'
		}
		return r
	}, name)
	// PathEscape leaves alone some characters that RFC 8187 wants escaped.
	full := strings.NewReplacer("'", "%27", "(", "%28", ")", "%29", "*", "%2A", ",", "%2C", ";", "%3B", "=", "%3D",
		":", "%3A", "@", "%40", "/", "%2F").Replace(url.PathEscape(name))
	return `attachment; filename="` + ascii + `"; filename*=UTF-8''` + full
}

// maxFileName is how long a file's name may get, in bytes. File systems have room for 255; the name stands in a
// URL, escaped twice, and browsers append to it.
const maxFileName = 150

// fileNameOf returns a name that every file system takes and that looks like nothing else than it is.
func fileNameOf(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune(`"*/:<>?\|`, r) || r == utf8.RuneError:
			return '_'
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1 // controls, and marks that turn the direction of writing and with it the ending
		}
		return r
	}, s)
	s = strings.Trim(strings.Join(strings.Fields(s), " "), " ")
	stem, ending := s, ""
	// Up to two endings, as in "x.hypotheticals.faa", are what the file is, and are never cut off.
	for range 2 {
		dot := strings.LastIndexByte(stem, '.')
		if dot < 0 || len(stem)-dot > 20 || strings.ContainsFunc(stem[dot+1:], notAlphanumeric) {
			break
		}
		stem, ending = stem[:dot], stem[dot:]+ending
	}
	for len(stem)+len(ending) > maxFileName {
		_, last := utf8.DecodeLastRuneInString(stem)
		stem = stem[:len(stem)-last]
	}
	// Names that begin with a dot are hidden, and some can't end in one.
	stem = strings.Trim(stem, " .")
	ending = strings.TrimRight(ending, ".")
	if stem == "" {
		stem = "file"
	}
	return stem + ending
}

func notAlphanumeric(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
