//go:build !linux

package control

import "net"

// allowed returns false: local mode runs on Linux only.
func allowed(*net.UnixConn) bool { return false }
