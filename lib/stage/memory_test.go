package stage

import "testing"

func TestCountOOM(t *testing.T) {
	for name, tt := range map[string]struct {
		content string
		want    int
	}{
		"version 2":           {"low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 1\n", 2},
		"version 1":           {"oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", 1},
		"nothing was killed":  {"low 0\noom_kill 0\n", 0},
		"the file is another": {"oom_kill_disable 1\n", 0},
		"no number":           {"oom_kill many\n", 0},
		"nothing":             {"", 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := countOOM([]byte(tt.content)); got != tt.want {
				t.Errorf("%d, want %d", got, tt.want)
			}
		})
	}
}
