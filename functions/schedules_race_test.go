//go:build race

package functions_test

// defaultSchedules is lower with the race detector, which makes a schedule several times as slow. The models let one call go on at a
// time, so more schedules would show it little that is new. `make test` plays all of them without it.
const defaultSchedules = 400
