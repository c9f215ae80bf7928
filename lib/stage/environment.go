package stage

import (
	"path/filepath"
	"slices"
	"strings"
)

// markName is the variable of Mark.
const markName = "BAKTA_WEB_RUN_DIR"

// Mark returns the NAME=value that marks the processes of the run in that directory. Run adds it to the environment of
// programs, and their children inherit it. KillLeft finds processes by it.
func Mark(dir string) string { return markName + "=" + filepath.Clean(dir) }

// carried are the variables that programs may need: to be found, to find their own files, and for the language. LC_… is
// carried, too.
var carried = []string{
	"PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ",
	"LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PERL5LIB", "CONDA_PREFIX", "CONDA_DEFAULT_ENV",
	"XDG_CACHE_HOME", "MPLCONFIGDIR", "FONTCONFIG_PATH", "FONTCONFIG_FILE",
}

// Environment returns the part of an environment that a stage's program gets on a machine that it shares with the backend:
// what programs need, and none of the backend's own settings.
func Environment(environ []string) []string {
	return pick(environ, func(name string) bool {
		return slices.Contains(carried, name) || strings.HasPrefix(name, "LC_")
	})
}

// ImageEnvironment returns the part of an environment that a stage's program gets in a container of its own: everything that
// the image sets, except variables that seem to be credentials. A stage's container should have none; this protects a
// deployment that adds some by mistake.
func ImageEnvironment(environ []string) []string {
	return pick(environ, func(name string) bool {
		name = strings.ToUpper(name)
		for _, word := range []string{"SECRET", "PASSWORD", "PASSWD", "TOKEN", "CREDENTIAL", "ACCESS_KEY", "ACCESSKEY", "PRIVATE_KEY"} {
			if strings.Contains(name, word) {
				return false
			}
		}
		return true
	})
}

func pick(environ []string, keep func(name string) bool) []string {
	var kept []string
	for _, e := range environ {
		if name, _, ok := strings.Cut(e, "="); ok && name != "" && keep(name) {
			kept = append(kept, e)
		}
	}
	return kept
}

// environ returns the environment of a run's program. If a name occurs twice, the last value counts.
func environ(d Dir, base, own []string) []string {
	return slices.Concat(base, []string{"TMPDIR=" + d.Temp()}, own, []string{Mark(string(d))})
}
