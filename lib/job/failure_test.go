package job

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFit(t *testing.T) {
	stages := []Stage{{Name: "bakta"}}
	for _, code := range FailureCodes() {
		f := Failure{Code: code, Message: "Bakta ended.", Stage: "bakta"}
		if got := f.Fit(stages); got != f {
			t.Errorf("%+v becomes %+v", f, got)
		}
	}
	got := Failure{Code: "x\"}\nup 1", Message: "\x1b[31m" + strings.Repeat("\xff\n", 9000), Stage: "../x"}.Fit(stages)
	if got.Code != Internal || got.Stage != "" || len(got.Message) > MaxMessage || !utf8.ValidString(got.Message) ||
		strings.ContainsAny(got.Message, "\x1b\n") {
		t.Errorf("%+v", got)
	}
	if got := (Failure{Code: BadInput, Message: "\x00 \n"}).Fit(nil); got.Message == "" {
		t.Errorf("%+v", got)
	}
}

func TestFitStages(t *testing.T) {
	has := []Stage{{"bakta", StageRunning}, {"baktfold", StagePending}}
	for _, tt := range []struct{ name, told, want string }{
		{"nothing", "", ""},
		{"both", "bakta succeeded, baktfold running", "bakta succeeded, baktfold running"},
		{"in another order, with one that is not there", "x failed, baktfold running, bakta succeeded", "bakta succeeded, baktfold running"},
		{"one alone", "bakta failed", "bakta failed, baktfold pending"},
		{"no state", "bakta gone, baktfold running", "bakta running, baktfold running"},
	} {
		if got := written(FitStages(has, read(tt.told))); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	if !slices.Equal(has, []Stage{{"bakta", StageRunning}, {"baktfold", StagePending}}) {
		t.Error("the stages were changed in place")
	}
}

func read(text string) (stages []Stage) {
	for part := range strings.SplitSeq(text, ", ") {
		if name, status, ok := strings.Cut(part, " "); ok {
			stages = append(stages, Stage{name, StageStatus(status)})
		}
	}
	return stages
}

func written(stages []Stage) string {
	var parts []string
	for _, s := range stages {
		parts = append(parts, s.Name+" "+string(s.Status))
	}
	return strings.Join(parts, ", ")
}
