package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/client"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
	"github.com/ag-computational-bio/bakta-web-backend/local/book"
	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
)

// fetch is what `results` and `submit` do with a job that succeeded.
type fetch struct {
	out   string // directory; empty: one named after the job
	force bool
}

func (f *fetch) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.force, "force", false, "replace files of the same name that are there already")
}

func (a *app) resultsCommand() *cobra.Command {
	var f fetch
	wait := false
	cmd := &cobra.Command{
		Use:   "results ID",
		Short: "Download the results of a job, and tell what was annotated",
		Long: `Download the result files of a job into a directory, and tell what was annotated.
The files are named after the job. Without --out a new directory is made below
the current one. A file that is there already with other content is not replaced
unless --force is given.`,
		Example: `  bakta-web results 0fd4 --out annotation
  bakta-web results 0fd4 --wait`,
		Args:              takes(1, 1, "the ID of a job"),
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
				if err := a.wait(cmd.Context(), c, entry, f.out); err != nil {
					return err
				}
			}
			return a.results(cmd.Context(), c, entry, f)
		},
	}
	cmd.Flags().StringVarP(&f.out, "out", "o", "", "`directory` for the files; it is made if it isn't there")
	cmd.Flags().BoolVar(&wait, "wait", false, "wait for the job to end, with progress")
	f.flags(cmd)
	a.jsonFlag(cmd)
	return cmd
}

// outcome is what `results` and `submit --wait` tell in JSON.
type outcome struct {
	job
	Out     string   `json:"out,omitempty"`   // directory of the files
	Files   []string `json:"files,omitempty"` // their names
	Summary *summary `json:"summary,omitempty"`
}

// results downloads the result files and tells what is in them.
func (a *app) results(ctx context.Context, c *client.Client, entry book.Entry, f fetch) error {
	result, err := c.Result(ctx, ref(entry))
	if err != nil {
		return a.noResult(ctx, c, entry, err)
	}
	if f.out == "" {
		f.out = fileName(entry.Name) + "-" + entry.ID[:min(8, len(entry.ID))]
	}
	if err := makeDir(f.out); err != nil {
		return err
	}
	names, err := a.download(ctx, c.WithPatience(a.transferPatience), result.Files, fileName(entry.Name), f)
	if err != nil {
		return err
	}
	told := outcome{job: describe(entry, client.Status{State: client.Successful, Updated: result.Updated}), Out: f.out, Files: names}
	if i := slices.IndexFunc(names, func(name string) bool { return strings.HasSuffix(name, ".json") }); i >= 0 {
		s, err := readSummary(filepath.Join(f.out, names[i]))
		if err != nil {
			return err
		}
		told.Summary = &s
	}
	if a.json {
		return a.printJSON(told)
	}
	if told.Summary != nil {
		if err := told.Summary.print(a.out); err != nil {
			return err
		}
	}
	fmt.Fprintf(a.out, "\n%d files are in %s:\n", len(names), shown(f.out))
	for _, name := range names {
		fmt.Fprintf(a.out, "  %s\n", shown(name))
	}
	return nil
}

// noResult says why there is no result.
func (a *app) noResult(ctx context.Context, c *client.Client, entry book.Entry, err error) error {
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

// failed tells why a job failed.
func (a *app) failed(ctx context.Context, c *client.Client, entry book.Entry) error {
	j := describe(entry, client.Status{State: client.Failed})
	j.Reason = a.reason(ctx, c, entry)
	if a.json {
		if err := a.printJSON(outcome{job: j}); err != nil {
			return err
		}
	}
	return &exitError{exitJobFailed, fmt.Errorf("the job failed: %s\n`bakta-web logs %s` shows what Bakta wrote.", shownLines(j.Reason, "  "), entry.ID)}
}

// endings returns the file ending of each kind of result file that the API may name.
func endings() map[string]string {
	endings := make(map[string]string)
	if bakta, ok := workflow.Lookup(workflow.Bakta); ok {
		for _, file := range bakta.Results {
			endings[file.KeyV1] = file.Ending
		}
	}
	return endings
}

// download fetches files into a directory, and returns their names. They are fetched aside and put in place
// together, so that a directory never holds half of a result.
func (a *app) download(ctx context.Context, c *client.Client, links map[string]string, stem string, f fetch) ([]string, error) {
	aside, err := os.MkdirTemp(f.out, ".bakta-web-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(aside)
	known := endings()
	var names []string
	from := make(map[string]string) // name to link
	for kind, link := range links {
		ending := known[kind]
		if ending == "" {
			ending = fileName(strings.ToLower(kind)) // of a newer server
		}
		name := stem + "." + ending
		names = append(names, name)
		from[name] = link
	}
	slices.Sort(names)
	b := a.display.start("downloading the results", inBytes)
	var total int64
	for _, name := range names {
		size, err := c.Download(ctx, from[name], filepath.Join(aside, name), func(done, size int64) {
			b.rename("downloading " + clipped(shown(name), 28))
			b.set(done, size)
		})
		if err != nil {
			b.end("")
			return nil, err
		}
		total += size
	}
	b.end("downloaded %d files (%s)", len(names), bytesText(total))
	return names, place(aside, f.out, names, f.force)
}

// place moves files into a directory, all or none. Files that are there already must be the same.
func place(from, to string, names []string, force bool) error {
	var differ []string
	for _, name := range names {
		if info, err := os.Stat(filepath.Join(to, name)); err == nil && info.IsDir() {
			return fmt.Errorf("%s is a directory, so nothing was put in %s; give another directory by --out", shown(filepath.Join(to, name)), shown(to))
		}
		same, err := sameContent(filepath.Join(from, name), filepath.Join(to, name))
		if err != nil {
			return err
		}
		if !same && !force {
			differ = append(differ, name)
		}
	}
	if len(differ) > 0 {
		return fmt.Errorf("%s holds other files of these names, and nothing was replaced: %s; give another directory by --out, or --force",
			shown(to), shown(strings.Join(differ, ", ")))
	}
	for _, name := range names {
		if err := os.Rename(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			return err
		}
	}
	return nil
}

// sameContent reports whether there is no second file, or it has the first one's content.
func sameContent(first, second string) (bool, error) {
	a, err := os.Open(first)
	if err != nil {
		return false, err
	}
	defer a.Close()
	b, err := os.Open(second)
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	} else if err != nil {
		return false, err
	}
	defer b.Close()
	one, two := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err1 := io.ReadFull(a, one)
		m, err2 := io.ReadFull(b, two)
		if !bytes.Equal(one[:n], two[:m]) {
			return false, nil
		}
		for _, err := range []error{err1, err2} {
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				return false, err
			}
		}
		if err1 != nil || err2 != nil {
			return true, nil
		}
	}
}

// prepare makes the directory for the results of a new job, and reports what would be in their way: it would be a
// pity to see that when the job is done. Only the bodies of files can tell whether they are the same, and there
// are none yet.
func (f *fetch) prepare(name string) error {
	if err := makeDir(f.out); err != nil {
		return err
	}
	var there []string
	for _, ending := range endings() {
		file := fileName(name) + "." + ending
		if info, err := os.Lstat(filepath.Join(f.out, file)); err == nil && (info.IsDir() || !f.force) {
			there = append(there, file)
		}
	}
	if len(there) == 0 {
		return nil
	}
	slices.Sort(there)
	return usagef("%s holds files of the names that the results will have: %s; give another directory by --out, another --name, or --force",
		shown(f.out), shown(strings.Join(there, ", ")))
}

// makeDir makes a directory for results, unless it is there, and tries whether files can be made in it.
func makeDir(path string) error {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return usagef("--out: %s is a file; name a directory", shown(path))
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
