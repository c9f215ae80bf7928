// Package release tries `make release` end to end, without publishing: on a copy of the repository, with a registry on
// loopback. Run it with `make release-try`.
package release
