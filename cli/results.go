package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"

	"github.com/ag-computational-bio/bakta-web-backend/cli/annotation"
	"github.com/ag-computational-bio/bakta-web-backend/cli/book"
	"github.com/ag-computational-bio/bakta-web-backend/cli/resultfiles"
	"github.com/ag-computational-bio/bakta-web-backend/client"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// fetch is what `results` and `submit` do with a job that succeeded.
type fetch struct {
	out     string // directory; empty: one named after the job
	force   bool
	limit   int64 // bytes that the files may have together
	partial bool  // of a job that failed, what the stages before left
}

// defaultDownload is how much the results of a job may have, in bytes: more than those of any genome, and less than fills
// a disk unseen.
const defaultDownload = 20_000_000_000

// byteSize is a flag's number of bytes.
type byteSize int64

func (s *byteSize) Set(text string) error {
	n, err := units.FromHumanSize(text)
	if err != nil || n <= 0 {
		return errors.New("not a size")
	}
	*s = byteSize(n)
	return nil
}

func (s *byteSize) String() string { return units.HumanSize(float64(*s)) }
func (s *byteSize) Type() string   { return "size" }

func (f *fetch) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.force, "force", false, "replace files of the same name that are there already")
	f.limit = defaultDownload
	cmd.Flags().Var((*byteSize)(&f.limit), "max-download", "download at most this `size` of each job, such as 500MB or 40GB")
}

func (a *app) resultsCommand() *cobra.Command {
	var f fetch
	wait := false
	cmd := &cobra.Command{
		Use:     "results ID",
		Aliases: []string{"result"},
		Short:   "Download the results of a job, and show what was annotated",
		Long: `Download the result files of a job into a directory, and show what was annotated.
The files are named after the job. Without --out a new directory is made below
the current one. A file that is there already with other content is not replaced
unless --force is given, and the file that the job was made of never is.

A job of several stages that failed in a later one may have results of the
stages before it. --partial downloads them; the exit code says nevertheless that
the job failed.`,
		Example: `  bakta-web results 0fd4 --out annotation
  bakta-web results 0fd4 --wait
  bakta-web results 0fd4 --partial`,
		Args:              Takes(1, 1, "the ID of a job"),
		ValidArgsFunction: a.completeIDs,
		RunE: func(cmd *cobra.Command, args []string) error {
			entry, c, err := a.find(args[0])
			if err != nil {
				return err
			}
			if f.out != "" {
				if err := makeDir(f.out); err != nil {
					return err
				}
			}
			if wait {
				state, err := a.await(cmd.Context(), c, entry, f.out)
				if err != nil {
					return err
				}
				if state == client.Failed && !f.partial {
					return a.failed(cmd.Context(), c, entry)
				}
			}
			return a.results(cmd.Context(), c, entry, f)
		},
	}
	cmd.Flags().StringVarP(&f.out, "out", "o", "", "`directory` for the files; it is made if it isn't there")
	cmd.Flags().BoolVar(&wait, "wait", false, "wait for the job to end, with progress")
	cmd.Flags().BoolVar(&f.partial, "partial", false, "of a job that failed, download the results of the stages before")
	f.flags(cmd)
	a.jsonFlag(cmd)
	return cmd
}

// outcome is the JSON output of `results` and `submit --wait`.
type outcome struct {
	job
	Out     string              `json:"out,omitempty"`   // directory of the files
	Files   []string            `json:"files,omitempty"` // their names
	Summary *annotation.Summary `json:"summary,omitempty"`
}

// results downloads the result files and shows what is in them.
func (a *app) results(ctx context.Context, c *client.V2, entry book.Entry, f fetch) error {
	result, err := c.Result(ctx, ref(entry), f.partial)
	if err != nil {
		return a.noResult(ctx, c, entry, err)
	}
	state := client.Successful
	if result.Failure != "" {
		state = client.Failed
		if len(result.Files) == 0 {
			return a.failed(ctx, c, entry)
		}
	}
	if f.out == "" {
		f.out = fileName(entry.Name) + "-" + entry.ID[:min(8, len(entry.ID))]
	}
	if err := makeDir(f.out); err != nil {
		return err
	}
	names, err := a.download(ctx, c.WithPatience(a.transferPatience), result.Files, entry, f)
	if err != nil {
		return err
	}
	told := outcome{
		job:   describe(entry, client.Status{State: state, Updated: result.Updated, Workflow: result.Workflow}),
		Out:   f.out,
		Files: names,
	}
	told.Reason = result.Failure
	if i := slices.Index(names, fileName(entry.Name)+".json"); i >= 0 {
		s, err := annotation.Read(filepath.Join(f.out, names[i]))
		if err != nil {
			return err
		}
		told.Summary = &s
	}
	if err := a.tell(told); err != nil {
		return err
	}
	if result.Failure != "" {
		return &exitError{
			exitJobFailed,
			fmt.Errorf("the job failed, and only the results of the stages before were downloaded: %s", shownLines(result.Failure, "  ")),
		}
	}
	return nil
}

// tell shows what was annotated, and where it is.
func (a *app) tell(o outcome) error {
	if a.json {
		return a.printJSON(o)
	}
	if o.Summary != nil {
		if err := printSummary(a.out, *o.Summary); err != nil {
			return err
		}
	}
	fmt.Fprintf(a.out, "\n%d files are in %s:\n", len(o.Files), shown(o.Out))
	for _, name := range o.Files {
		fmt.Fprintf(a.out, "  %s\n", shown(name))
	}
	return nil
}

// noResult returns why there are no results.
func (a *app) noResult(ctx context.Context, c *client.V2, entry book.Entry, err error) error {
	switch client.CodeOf(err) {
	case codes.NotFound, codes.Unauthenticated, codes.PermissionDenied:
		return errGone
	case codes.FailedPrecondition:
	default:
		return err
	}
	states, stateErr := c.Status(ctx, ref(entry))
	if stateErr != nil {
		return stateErr
	}
	switch states[0].State {
	case client.Failed:
		return a.failed(ctx, c, entry)
	case client.Init, client.Running:
		return fmt.Errorf("the job has not ended yet (%s); --wait waits for it", states[0].State)
	}
	return err
}

var errGone = &exitError{exitJobFailed, errors.New("the job is gone: it was deleted, or it has expired")}

// failed reports why a job failed.
func (a *app) failed(ctx context.Context, c *client.V2, entry book.Entry) error {
	j := describe(entry, client.Status{State: client.Failed})
	j.Reason = a.reason(ctx, c, entry)
	if a.json {
		if err := a.printJSON(outcome{job: j}); err != nil {
			return err
		}
	}
	hint := fmt.Sprintf("`bakta-web logs %s` shows what its programs wrote.", entry.ID)
	// The logs may be out of reach; then the hint is missed.
	if logs, err := c.Logs(ctx, ref(entry)); err == nil &&
		slices.ContainsFunc(logs, func(l client.StageLog) bool { return l.Status == client.StageSucceeded }) {
		hint += fmt.Sprintf("\n`bakta-web results --partial %s` downloads the results of the stages before.", entry.ID)
	}
	return &exitError{exitJobFailed, fmt.Errorf("the job failed: %s\n%s", shownLines(j.Reason, "  "), hint)}
}

// download fetches files into a directory, and returns their names. They are fetched aside and put in place
// together, so that a directory never has half of a result.
func (a *app) download(ctx context.Context, c *client.V2, links map[string]string, entry book.Entry, f fetch) ([]string, error) {
	aside, err := os.MkdirTemp(f.out, ".bakta-web-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(aside)
	names, from := resultfiles.Names(fileName(entry.Name), links)
	b := a.display.start("downloading the results", inBytes)
	var total int64
	for _, name := range names {
		size, err := c.WithMaxDownload(f.limit-total).Download(ctx, from[name], filepath.Join(aside, name), func(done, size int64) {
			b.rename("downloading " + clipped(shown(name), 28))
			b.set(done, size)
		})
		if err != nil {
			b.end("")
			if errors.Is(err, client.ErrTooLarge) {
				err = fmt.Errorf(
					"the results have more than the %s that --max-download allows, and none were kept; allow more",
					units.HumanSize(float64(f.limit)),
				)
			}
			return nil, err
		}
		total += size
	}
	b.end("downloaded %d files (%s)", len(names), bytesText(total))
	return names, resultfiles.Place(aside, f.out, names, []string{entry.File}, func(string) bool { return f.force })
}

// prepare makes the directory for the results of a new job, and reports what would be in their way: it would be a
// pity to see that when the job is done. Only the content of files shows whether they are the same, and there
// are none yet. What is uploaded is never to be replaced.
func (f *fetch) prepare(name string, w workflow.Workflow, uploads []inputFile) error {
	if err := makeDir(f.out); err != nil {
		return err
	}
	var there []string
	for _, result := range w.Results {
		file := fileName(name) + "." + result.Ending
		path := filepath.Join(f.out, file)
		if slices.ContainsFunc(uploads, func(u inputFile) bool { return resultfiles.SameFile(u.path, path) }) {
			return Usagef(
				"%s is to be uploaded, and a result would overwrite it; give another directory by --out, or another --name",
				shown(path),
			)
		}
		if info, err := os.Lstat(path); err == nil && (info.IsDir() || !f.force) {
			there = append(there, file)
		}
	}
	if len(there) == 0 {
		return nil
	}
	slices.Sort(there)
	return Usagef("%s has files of the names that the results will have: %s; give another directory by --out, another --name, or --force",
		shown(f.out), shown(strings.Join(there, ", ")))
}

// makeDir makes a directory for results, unless it is there, and tries whether files can be made in it.
func makeDir(path string) error {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return Usagef("--out: %s is a file; name a directory", shown(path))
	}
	if err := os.MkdirAll(path, 0o777); err != nil {
		return &exitError{exitUsage, fmt.Errorf("the directory for the results can't be made: %w", err)}
	}
	probe, err := os.CreateTemp(path, ".bakta-web-")
	if err != nil {
		return &exitError{exitUsage, fmt.Errorf("nothing can be put in the directory for the results: %w", err)}
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}
