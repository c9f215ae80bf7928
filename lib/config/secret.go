package config

import "log/slog"

// Secret is a text that logs, messages and documents do not show, in any format. Reveal returns it.
type Secret string

const redacted = "[secret]"

// Reveal returns the secret text.
func (s Secret) Reveal() string { return string(s) }

// String returns "[secret]", or "" if the secret is empty.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return `config.Secret("` + s.String() + `")` }

// MarshalText hides the secret from JSON and other encodings.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue hides the secret from logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
