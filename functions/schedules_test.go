//go:build !race

package functions_test

// defaultSchedules is how many schedules each model of lives plays.
const defaultSchedules = 10_000
