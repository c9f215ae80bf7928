package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"

	"github.com/ag-computational-bio/bakta-web-backend/cli/book"
	"github.com/ag-computational-bio/bakta-web-backend/client"
	libjob "github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// rerun is a job that is to be run again.
type rerun struct {
	options       options
	with, without []string // flags of optional files
	name          string
	wait          bool
	fetch         fetch
}

func (a *app) rerunCommand() *cobra.Command {
	var r rerun
	cmd := &cobra.Command{
		Use:   "rerun ID",
		Short: "Run a job again with its files, with the same options or others",
		Long: `Run a job again, as a new job. The server copies the files of the old job, so
nothing is uploaded. The old job may have failed or succeeded, wait or run, and
stays as it is.

Without options the new job has those of the old one. Options that are given
replace these; the others stay. To take one back, give it its default:
--genus "", --translation-table 11, --complete=false. --without leaves out an
optional file, by the name of its option of submit: --without replicons. --with
uses one that was uploaded and not used. Other files need a new job.

If the command is interrupted, or the answer of the server is lost, repeat it:
the same command finds the job that it has made, and makes no second one.

Waiting, --out and exit codes are as of submit.`,
		Example: `  bakta-web rerun 0fd4 --wait
  bakta-web rerun 0fd4 --genus Escherichia --translation-table 4 --out annotation
  bakta-web rerun 0fd4 --without regions --skip-plot`,
		Args:              Takes(1, 1, "the ID of a job"),
		ValidArgsFunction: a.completeIDs,
		RunE: func(cmd *cobra.Command, args []string) error {
			r.wait = r.wait || r.fetch.out != ""
			return a.rerun(cmd.Context(), args[0], r, cmd.Flags().Changed)
		},
	}
	cmd.Flags().SortFlags = false
	r.options.flagsWithoutFiles(cmd)
	files := slices.Sorted(maps.Values(optionalFiles()))
	cmd.Flags().StringSliceVar(&r.without, "without", nil, "leave out an optional `file`: "+strings.Join(files, ", "))
	cmd.Flags().StringSliceVar(&r.with, "with", nil, "use an optional `file` that was uploaded for the old job and not used")
	cmd.Flags().StringVar(&r.name, "name", "", "`name` of the new job and of its files (default: that of the old job)")
	cmd.Flags().BoolVar(&r.wait, "wait", false, "wait for the job to end, with progress")
	cmd.Flags().StringVarP(&r.fetch.out, "out", "o", "", "wait, and download the results into this `directory`")
	r.fetch.flags(cmd)
	a.jsonFlag(cmd)
	for _, flag := range []string{"with", "without"} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(files, cobra.ShellCompDirectiveNoFileComp))
	}
	return cmd
}

// optionalFiles returns the flags of optional files by the kinds of uploads.
func optionalFiles() map[string]string {
	flags := make(map[string]string)
	for _, row := range upload.Table() {
		if row.Flag != "" {
			flags[row.Kind] = row.Flag
		}
	}
	return flags
}

func (a *app) rerun(ctx context.Context, id string, r rerun, changed func(flag string) bool) error {
	old, c, err := a.find(id)
	if err != nil {
		return err
	}
	w, ok := workflow.Lookup(cmp.Or(old.Workflow, workflow.Bakta))
	if !ok {
		return fmt.Errorf("the job's workflow %s is not known to this version of bakta-web", shown(old.Workflow))
	}
	if r.fetch.out != "" {
		if err := r.fetch.prepare(cmp.Or(r.name, old.Name), w, nil); err != nil {
			return err
		}
	}
	config, err := r.config(ctx, c, old, w, changed)
	if err != nil {
		return err
	}
	entry, err := a.runAgain(ctx, c, old, w, r.name, config)
	if err != nil {
		return err
	}
	return a.follow(ctx, c, entry, r.wait, r.fetch)
}

// config returns the options of the new job, nil for those of the old one. Options that were typed replace the old ones,
// which the server knows.
func (r *rerun) config(
	ctx context.Context,
	c *client.V2,
	old book.Entry,
	w workflow.Workflow,
	changed func(flag string) bool,
) (*client.Config, error) {
	if !slices.ContainsFunc(append([]string{"with", "without"}, r.options.names...), changed) {
		return nil, nil
	}
	if !ofGenomes(w) {
		r.options.names = append(r.options.names, "with", "without")
		return nil, r.options.refuse(w, changed)
	}
	state, err := c.Look(ctx, ref(old))
	switch {
	case err != nil:
		return nil, err
	case state.Config != nil:
	case state.State == client.NotFound, state.State == client.Unauthorized:
		return nil, errGone
	case state.State == client.Init && state.Waiting != nil && !*state.Waiting:
		return nil, &exitError{exitUsage, errors.New("the job was never started, so it can't be run again")}
	default:
		return nil, fmt.Errorf("%s does not say with which options the job was started: it is an older server; submit the file again", c.Server())
	}
	config, err := configured(*state.Config)
	if err != nil {
		return nil, err
	}
	if config, err = r.options.over(config, changed); err != nil {
		return nil, err
	}
	if config, err = r.files(config); err != nil {
		return nil, err
	}
	config = w.Normalise(config)
	if err := w.Validate(config); err != nil {
		return nil, &usageError{option.Respell(err, spelling())}
	}
	asked, err := request(config)
	return &asked, err
}

// files adds and leaves out optional files.
func (r *rerun) files(config option.Config) (option.Config, error) {
	kinds := make(map[string]string)
	for kind, flag := range optionalFiles() {
		kinds[flag] = kind
	}
	config.Use = maps.Clone(config.Use)
	if config.Use == nil {
		config.Use = make(map[string]bool)
	}
	for flag, names := range map[string][]string{"with": r.with, "without": r.without} {
		for _, name := range names {
			kind, ok := kinds[strings.TrimLeft(name, "-")]
			switch {
			case !ok:
				return config, Usagef("--%s: %q is not the option of a file; choose from %s", flag, name,
					strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
			case flag == "without" && slices.Contains(r.with, name):
				return config, Usagef("--with and --without both name %s", name)
			}
			config.Use[kind] = flag == "with"
		}
	}
	return config, nil
}

// runAgain has the server make and start the new job.
func (a *app) runAgain(
	ctx context.Context,
	c *client.V2,
	old book.Entry,
	w workflow.Workflow,
	name string,
	config *client.Config,
) (book.Entry, error) {
	b, err := a.book()
	if err != nil {
		return book.Entry{}, err
	}
	asked, err := json.Marshal(struct {
		Config *client.Config `json:"config,omitempty"`
		Name   string         `json:"name,omitempty"`
	}{config, name})
	if err != nil {
		return book.Entry{}, err
	}
	entry, err := unanswered(b, old, string(asked))
	if err != nil {
		return book.Entry{}, err
	}
	if entry.ID == "" {
		entry = book.Entry{Server: c.Server(), Name: cmp.Or(name, old.Name), Workflow: w.Kind, File: old.File,
			Created: time.Now().UTC().Truncate(time.Second),
			Rerun:   &book.Rerun{Of: old.ID, RequestKey: uuid.NewString(), Request: string(asked)}}
		// The id and the secret that the server will derive, too. They are remembered before the job exists, so that it can't be
		// lost: an answer can, and this program may be killed.
		if entry.ID, entry.Secret, err = libjob.Rerun(old.ID, old.Secret, entry.Rerun.RequestKey); err != nil {
			return book.Entry{}, err
		}
		if err := b.Add(context.WithoutCancel(ctx), entry); err != nil {
			return book.Entry{}, err
		}
	}
	made, warnings, err := c.WithPatience(a.transferPatience).Rerun(ctx,
		client.Rerun{Job: ref(old), RequestKey: entry.Rerun.RequestKey, Config: config, Name: name})
	after, limited := client.Limited(err)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		a.display.line("The job may have been made or not. The same command finds out, and makes no second one.")
		return book.Entry{}, &exitError{code: exitInterrupted}
	case limited:
		a.display.line("The job was not made%s.", laterText(after))
		return book.Entry{}, err
	case client.Transient(err), client.CodeOf(err) == codes.OK:
		a.display.line("The job may have been made or not. The same command finds out, and makes no second one.")
		return book.Entry{}, err
	default:
		// It was refused, so there is no job but, at most, one that was not started, which the server removes.
		_ = b.Remove(context.WithoutCancel(ctx), entry.ID)
		if client.CodeOf(err) == codes.InvalidArgument {
			return book.Entry{}, &exitError{exitUsage, err}
		}
		return book.Entry{}, err
	}
	answered := entry
	answered.ID, answered.Secret, answered.Rerun = made.Job.ID, made.Job.Secret, &book.Rerun{Of: old.ID}
	if err := a.remember(context.WithoutCancel(ctx), b, entry, answered); err != nil {
		return book.Entry{}, fmt.Errorf("%w; the job %s was started", err, answered.ID)
	}
	a.display.line("started job %s on %s", answered.ID, c.Server())
	for _, w := range warnings {
		a.display.line("warning: %s", shown(w.Message))
	}
	return answered, nil
}

// remember records the answer to a rerun.
func (a *app) remember(ctx context.Context, b *book.Book, asked, answered book.Entry) error {
	if answered.ID == asked.ID {
		return b.Change(ctx, answered)
	}
	// Another version of the server derives the job in another way.
	if err := b.Add(ctx, answered); err != nil {
		return err
	}
	return b.Remove(ctx, asked.ID)
}

// unanswered returns the job of the same request that was not answered, the zero value if there is none.
func unanswered(b *book.Book, old book.Entry, request string) (book.Entry, error) {
	jobs, err := b.Jobs()
	if err != nil {
		return book.Entry{}, err
	}
	for _, entry := range jobs {
		if r := entry.Rerun; r != nil && r.Of == old.ID && r.RequestKey != "" && r.Request == request {
			return entry, nil
		}
	}
	return book.Entry{}, nil
}
