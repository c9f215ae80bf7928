package s3

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// PresignPut implements store.Files, for a ttl from 1 s to 7 days. The holder of the link may send any content of any type.
func (s *Store) PresignPut(_ context.Context, key string, ttl time.Duration) (string, error) {
	object, err := s.object(key)
	if err != nil {
		return "", err
	}
	link, err := s.links.link(http.MethodPut, object, nil, ttl, time.Now())
	if err != nil {
		return "", fmt.Errorf("creating an upload link to %s for %s: %w", object, ttl, err)
	}
	return link, nil
}

// PresignGet implements store.Files, for a ttl from 1 s to 7 days. It changes a file name that some file systems do not allow as
// little as possible.
func (s *Store) PresignGet(_ context.Context, key, fileName string, ttl time.Duration) (string, error) {
	object, err := s.object(key)
	if err != nil {
		return "", err
	}
	as := url.Values{
		"response-content-disposition": {attachment(fileName)},
		// In earlier versions, stores recorded "aws-chunked" as the encoding of an object. Clients can't decode that, and libcurl
		// refuses it. Stores ignore an empty value here, and every client accepts "identity".
		"response-content-encoding": {"identity"},
	}
	link, err := s.links.link(http.MethodGet, object, as, ttl, time.Now())
	if err != nil {
		return "", fmt.Errorf("creating a download link to %s for %s: %w", object, ttl, err)
	}
	return link, nil
}

// LinkOrigin returns the origin of the links, as browsers write it: https://s3.example.org. It makes no network call.
func (s *Store) LinkOrigin(ctx context.Context) (string, error) {
	link, err := s.PresignPut(ctx, "origin", time.Minute)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(link)
	if err != nil {
		return "", fmt.Errorf("reading a link: %w", err)
	}
	return u.Scheme + "://" + u.Host, nil
}

// attachment returns the Content-Disposition (RFC 6266) that saves a file under a name: in ASCII for old clients, and complete.
func attachment(fileName string) string {
	name := fileNameOf(fileName)
	ascii := strings.Map(func(r rune) rune {
		// Some clients decode percent signs here, though they should not.
		if r > unicode.MaxASCII || r == '%' {
			return '_'
		}
		return r
	}, name)
	// PathEscape does not escape some characters that RFC 8187 requires to be escaped.
	full := strings.NewReplacer("'", "%27", "(", "%28", ")", "%29", "*", "%2A", ",", "%2C", ";", "%3B", "=", "%3D",
		":", "%3A", "@", "%40", "/", "%2F").Replace(url.PathEscape(name))
	return `attachment; filename="` + ascii + `"; filename*=UTF-8''` + full
}

// maxFileName bounds the name of a file, in bytes. File systems allow 255, but a URL contains the name, escaped twice, and
// browsers append to it.
const maxFileName = 150

// fileNameOf returns a name that every file system accepts, and whose ending can't be disguised.
func fileNameOf(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune(`"*/:<>?\|`, r) || r == utf8.RuneError:
			return '_'
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1 // control characters, and marks that change the direction of text and could move the ending
		}
		return r
	}, s)
	s = strings.Trim(strings.Join(strings.Fields(s), " "), " ")
	stem, ending := s, ""
	// Up to two endings, as in "x.hypotheticals.faa", are the type of the file, and are never cut off.
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
	// Files whose names begin with a dot are hidden, and some file systems do not allow a dot at the end.
	stem = strings.Trim(stem, " .")
	ending = strings.TrimRight(ending, ".")
	if stem == "" {
		stem = "file"
	}
	return stem + ending
}

func notAlphanumeric(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
