package stage

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// TestTricks has programs leave all kinds of things in place of what stagers read and write. Whatever they leave, nothing
// outside of the run's directory is read or changed, the program's end is what the stager saw, and the stage after it
// gets its turn.
func TestTricks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, script string          // $OUTSIDE is a directory with files of another user
		status       job.StageStatus // failed where the stager's record has to stand against what lies there
	}{
		{"the state is a link", `rm -rf ../state; ln -s "$OUTSIDE" ../state`, job.StageSucceeded},
		{"the stage's state is a link", `rm -rf ../state/bakta; ln -s "$OUTSIDE" ../state/bakta`, job.StageSucceeded},
		{"the record is a link", `ln -sf "$OUTSIDE/record.json" ../state/bakta/record.json; exit 3`, job.StageFailed},
		{"the record is a hard link", `ln -f "$OUTSIDE/record.json" ../state/bakta/record.json; exit 3`, job.StageFailed},
		{"the record is a FIFO", `rm ../state/bakta/record.json; mkfifo ../state/bakta/record.json; exit 3`, job.StageFailed},
		{"the record is a directory", `rm ../state/bakta/record.json; mkdir -p ../state/bakta/record.json/x; exit 3`, job.StageFailed},
		{"the record is forged", `echo '{"name":"bakta","status":"succeeded"}' > ../state/bakta/record.json; exit 3`, job.StageFailed},
		{"the room for it is a link", `ln -sf "$OUTSIDE/record.json" ../state/bakta/reserve`, job.StageSucceeded},
		{"the log is a link", `ln -sf "$OUTSIDE/record.json" ../state/bakta/output.log; echo more`, job.StageSucceeded},
		{"the state is moved away", `mv ../state ../elsewhere`, job.StageSucceeded},
		{"the state is gone", `rm -rf ../state`, job.StageSucceeded},
		{"the state is closed", `chmod 0 ../state`, job.StageSucceeded},
		{"the outputs are closed", `chmod 0 ../out`, job.StageSucceeded},
		{"the outputs are a link", `rm -rf ../out; ln -s "$OUTSIDE" ../out`, job.StageSucceeded},
		{"the outputs are a file", `rm -rf ../out; echo > ../out`, job.StageSucceeded},
		{"the next stage's outputs are a link", `ln -s "$OUTSIDE" ../out/second`, job.StageSucceeded},
		{"the temporary files are a link", `mv ../tmp ../gone; ln -s "$OUTSIDE" ../tmp`, job.StageSucceeded},
		{"the temporary files are a FIFO", `mv ../tmp ../gone; mkfifo ../tmp`, job.StageSucceeded},
		{"a temporary file is a link", `ln -s "$OUTSIDE" x; mkdir closed; touch closed/x; chmod 0 closed`, job.StageSucceeded},
		{"the next stage's record is forged",
			`mkdir -p ../state/second; echo '{"name":"second","status":"succeeded"}' > ../state/second/record.json`, job.StageSucceeded},
		{"the next stage's record is a FIFO",
			`rm -rf ../state/second; mkdir ../state/second; mkfifo ../state/second/record.json ../state/second/output.log`, job.StageSucceeded},
		{"the next stage's state is a link", `rm -rf ../state/second; ln -s "$OUTSIDE" ../state/second`, job.StageSucceeded},
		{"the inputs' record says that they can't be had", `echo '{"failure":{"code":"bad_input"}}' > ../state/inputs.json`, job.StageSucceeded},
		{"the stager is traced", `kill -0 $PPID && ! cat /proc/$PPID/environ > /dev/null 2>&1 || [ "$(id -u)" = 0 ]`, job.StageSucceeded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir, outside := filepath.Join(directory(t), "."), t.TempDir()
			theirs := filepath.Join(outside, "record.json")
			if err := os.WriteFile(theirs, []byte("theirs"), 0o640); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(filepath.Join(outside, "second"), 0o750); err != nil {
				t.Fatal(err)
			}
			run := func(c Command, recorded bool) Record {
				c.Env = []string{"OUTSIDE=" + outside}
				rec, err := Run(t.Context(), c, dir, Options{Environ: Environment(os.Environ()), Fresh: !recorded})
				if err != nil {
					t.Fatalf("stage %s: %v", c.Stage, err)
				}
				return rec
			}
			recorded := tt.status == job.StageFailed
			if rec := run(shell(tt.script), recorded); rec.Status != tt.status {
				t.Errorf("first stage: %+v", rec)
			}
			if recorded {
				got, err := ReadRecords(spec(dir, shell("true"), second("true")))
				if rec := got.Stages["bakta"]; err != nil || rec.Status != job.StageFailed || rec.ExitCode != 3 {
					t.Errorf("recorded: %+v, %v", rec, err)
				}
			}
			rec := run(second(`[ -d ../out/second ] && [ -z "$(ls -A .)" ] && echo right && exit 7`), false)
			if rec.Name != "second" || rec.ExitCode != 7 {
				t.Errorf("second stage: %+v", rec)
			}
			if log, err := OpenLog(dir, "second"); err != nil {
				t.Errorf("its log: %v", err)
			} else {
				log.Close()
			}
			if got := text(t, theirs); got != "theirs" {
				t.Errorf("a file outside holds %q", got)
			}
			var names []string
			filepath.Walk(outside, func(path string, info os.FileInfo, _ error) error {
				names = append(names, info.Name()+info.Mode().String())
				return nil
			})
			if len(names) != 3 || names[1] != "record.json-rw-r-----" || names[2] != "seconddrwxr-x---" {
				t.Errorf("outside there is %q", names)
			}
			if err := MakeRoom(dir); err != nil {
				t.Error(err)
			}
			if err := Remove(dir); err != nil {
				t.Error(err)
			}
			if got := text(t, theirs); got != "theirs" {
				t.Errorf("a file outside holds %q after the run's directory was removed", got)
			}
		})
	}
}

// TestRecordsOfALink reads nothing through links either.
func TestRecordsOfALink(t *testing.T) {
	t.Parallel()
	dir, outside := directory(t), t.TempDir()
	s := spec(dir, shell("true"), second("true"))
	if err := os.WriteFile(filepath.Join(outside, recordFile), []byte(`{"name":"bakta","status":"succeeded"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Remove(Dir(dir).StageState("bakta")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, Dir(dir).StageState("bakta")); err != nil {
		t.Fatal(err)
	}
	if r, err := ReadRecords(s); err == nil {
		t.Errorf("read %+v", r)
	}
	if _, err := OpenLog(dir, "bakta"); !os.IsNotExist(err) && err == nil {
		t.Error("a log was opened through a link")
	}
}
