// Package access verifies the bearer tokens of callers: JSON Web Tokens of one OpenID Connect issuer. The subject of a token owns the
// jobs that are made with it.
//
// The issuer is found by OpenID Connect Discovery when the first token arrives, so that a server starts while the issuer is down. Its
// keys are read again when a token names an unknown one.
package access
