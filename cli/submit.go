package cli

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"

	"github.com/ag-computational-bio/bakta-web-backend/cli/batch"
	"github.com/ag-computational-bio/bakta-web-backend/cli/book"
	"github.com/ag-computational-bio/bakta-web-backend/cli/input"
	"github.com/ag-computational-bio/bakta-web-backend/client"
	"github.com/ag-computational-bio/bakta-web-backend/lib/notify"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// submission is what the flags of submit say, and the one file to annotate if it is one.
type submission struct {
	input    string // its path
	workflow string // as it was typed; empty: by the file
	name     string
	options  options
	wait     bool
	fetch    fetch
	notify   client.Notify

	// Of several files.
	sheet       string // path
	uploads     int    // how many are sent at a time
	again       bool
	retryFailed bool
}

func (a *app) submitCommand() *cobra.Command {
	var s submission
	cmd := &cobra.Command{
		Use:   "submit FILE...",
		Short: "Send genomes, proteins or annotations to be annotated",
		Long: `Send files to be annotated, plain or compressed (gzip, bzip2, xz, zstd):

  --workflow bakta            a genome (FASTA), by Bakta
  --workflow bakta+baktfold   a genome, and what Bakta leaves without a function
                              by Baktfold
  --workflow proteins         proteins (FASTA), by Bakta
  --workflow baktfold         an annotation (the JSON file that Bakta wrote), by
                              Baktfold

Without --workflow it is bakta, unless the file can be no genome. What a server
offers is listed by ` + "`bakta-web workflows`" + `. The options for genomes have the
names that Bakta gives them.

Without --wait the command ends when the job is started and prints its ID. With
--wait it shows progress until the job has ended, and its exit code is 0 only if
the job has succeeded. --out waits, too, and then downloads the results.
Ctrl-C stops the waiting and not the job.

Several files, a folder, or the rows of a table (--sheet) are sent a few at a
time. Each fails alone. --out makes a folder for each, and ` + batch.SummaryName + ` with a
row for each. The same command goes on where it was interrupted: what is there
is not done again, except for files and options that have changed. A table has a
column "genome" with the files, one for the "name" if the file's is not meant,
and any that is called like an option here ("genus", "gram", "replicons").
docs/batches.md in the repository has it all.

Exit codes for several: 0 all succeeded, 4 some failed, 1 it ended early.`,
		Example: `  bakta-web submit genome.fna
  bakta-web submit genome.fna.gz --wait --out annotation
  bakta-web submit genome.fna --genus Escherichia --species coli --gram - --complete
  bakta-web submit genome.fna --replicons replicons.tsv --regions known.gff3
  bakta-web submit genome.fna --workflow bakta+baktfold --skip-plot --out annotation
  bakta-web submit --workflow proteins proteins.faa --server https://bakta.example.org
  id=$(bakta-web submit genome.fna)
  bakta-web submit genomes/*.fna.gz --genus Escherichia --out results
  bakta-web submit --sheet samples.tsv --out results`,
		Args: func(cmd *cobra.Command, args []string) error {
			if s.sheet != "" {
				return nil
			}
			return Takes(1, -1, "the file to annotate")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			s.wait = s.wait || s.fetch.out != ""
			if s.uploads < 1 {
				return Usagef("--uploads: %d is not valid; give 1 or more", s.uploads)
			}
			if s.isMany(args) {
				for _, flag := range []string{"notify-webhook", "notify-email"} {
					if cmd.Flags().Changed(flag) {
						return Usagef("--%s is for one file", flag)
					}
				}
				return a.submitMany(cmd.Context(), s, args, cmd.Flags().Changed)
			}
			if err := checkNotify(s.notify); err != nil {
				return err
			}
			for _, flag := range []string{"uploads", "again", "retry-failed"} {
				if cmd.Flags().Changed(flag) {
					return Usagef("--%s is for several files, a folder or --sheet", flag)
				}
			}
			s.input = args[0]
			return a.submit(cmd.Context(), s, cmd.Flags().Changed)
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVarP(&s.workflow, "workflow", "w", "", "what to do, by `name`: bakta, bakta+baktfold, proteins or baktfold")
	s.options.flags(cmd) // before the rest: they are what the command is about
	cmd.Flags().StringVar(&s.name, "name", "", "`name` of the job and of its files (default: the name of the file)")
	cmd.Flags().StringVar(&s.notify.Webhook, "notify-webhook", "",
		"post a message to this https `URL` when the job ends; the key that signs it is printed")
	cmd.Flags().StringVar(&s.notify.Email, "notify-email", "", "send mail to this `address` when the job ends")
	cmd.Flags().BoolVar(&s.wait, "wait", false, "wait for the job to end, with progress")
	cmd.Flags().StringVarP(&s.fetch.out, "out", "o", "", "wait, and download the results into this `directory`")
	s.fetch.flags(cmd)
	cmd.Flags().StringVar(&s.sheet, "sheet", "", "annotate the rows of a table, a TSV or CSV `file`")
	cmd.Flags().IntVar(&s.uploads, "uploads", 4, "of several, send `N` at a time")
	cmd.Flags().BoolVar(&s.retryFailed, "retry-failed", false, "of several, run those again whose job of an earlier call failed")
	cmd.Flags().BoolVar(&s.again, "again", false, "of several, make a new job for each, whatever earlier calls did")
	a.jsonFlag(cmd)
	_ = cmd.RegisterFlagCompletionFunc(
		"workflow",
		cobra.FixedCompletions(slices.Sorted(maps.Values(workflowNames)), cobra.ShellCompDirectiveNoFileComp),
	)
	return cmd
}

// inputFile is a file of a submission, checked and ready to send.
type inputFile struct {
	kind, path string
	content    client.Content
}

func (a *app) submit(ctx context.Context, s submission, changed func(flag string) bool) error {
	w, err := a.workflowOf(s)
	if err != nil {
		return err
	}
	config, uploads, err := s.check(w, changed)
	if err != nil {
		return err
	}
	if s.name == "" {
		s.name = input.Name(s.input)
	}
	if s.fetch.out != "" {
		if err := s.fetch.prepare(s.name, w, uploads); err != nil {
			return err
		}
	}
	c, err := a.client(a.newServer())
	if err != nil {
		return err
	}
	options, err := request(config)
	if err != nil {
		return err
	}
	if err := offered(ctx, c, s.notify); err != nil {
		return err
	}
	entry, err := a.begin(ctx, c, s, w, uploads, options)
	if err != nil {
		return err
	}
	return a.follow(ctx, c, entry, s.wait, s.fetch)
}

// follow ends a command that has started a job: it waits for the job and downloads the results, as far as that is asked for.
func (a *app) follow(ctx context.Context, c *client.V2, entry book.Entry, wait bool, f fetch) error {
	switch {
	case f.out != "":
		if err := a.wait(ctx, c, entry, f.out); err != nil {
			return err
		}
		return a.results(ctx, c, entry, f)
	case wait:
		if err := a.wait(ctx, c, entry, ""); err != nil {
			return err
		}
		a.display.line("To download the results:\n  bakta-web results %s", entry.ID)
	default:
		a.display.line("To watch it and download the results:\n  %s", comeBack(entry, c, ""))
	}
	if a.json {
		state := client.Init
		if wait {
			state = client.Successful
		}
		return a.printJSON(describe(entry, client.Status{State: state}))
	}
	_, err := fmt.Fprintln(a.out, entry.ID)
	return err
}

// begin makes the job, uploads its files and starts it. A job that could not be started is removed again.
func (a *app) begin(
	ctx context.Context,
	c *client.V2,
	s submission,
	w workflow.Workflow,
	uploads []inputFile,
	config client.Config,
) (book.Entry, error) {
	b, err := a.book()
	if err != nil {
		return book.Entry{}, err
	}
	if _, err := b.Jobs(); err != nil {
		return book.Entry{}, err // before there is a job whose secret could not be kept
	}
	made, err := c.Init(ctx, w.Kind, s.name)
	if client.CodeOf(err) == codes.InvalidArgument {
		return book.Entry{}, &exitError{exitUsage, fmt.Errorf("%w\n`bakta-web workflows` shows what the server offers", err)}
	}
	if err != nil {
		return book.Entry{}, err
	}
	entry := book.Entry{ID: made.Job.ID, Secret: made.Job.Secret, Server: c.Server(), Name: s.name, Workflow: w.Kind,
		File: input.Absolute(s.input), Created: time.Now().UTC().Truncate(time.Second)}
	// Remembered before anything is sent: a job that this program is killed in the middle of can be deleted.
	if err := b.Add(context.WithoutCancel(ctx), entry); err != nil {
		a.discard(ctx, c, b, entry)
		return book.Entry{}, err
	}
	c = c.WithPatience(a.transferPatience)
	if err := a.upload(ctx, c, made, uploads); err != nil {
		a.discard(ctx, c, b, entry)
		if ctx.Err() != nil {
			a.display.line("Nothing was started.")
			return book.Entry{}, &exitError{code: exitInterrupted}
		}
		return book.Entry{}, err
	}
	warnings, key, err := c.StartNotifying(ctx, made.Job, w.Kind, config, s.notify)
	after, limited := client.Limited(err)
	switch {
	case err == nil:
		a.display.line("started job %s on %s", entry.ID, c.Server())
		for _, w := range warnings {
			a.display.line("warning: %s", shown(w.Message))
		}
		return a.keepKey(ctx, b, entry, s.notify, key), nil
	case ctx.Err() != nil:
		a.display.line("The job may have started or not. To see:\n  bakta-web status %s", entry.ID)
		return book.Entry{}, &exitError{code: exitInterrupted}
	case limited:
		a.discard(ctx, c, b, entry)
		a.display.line("The job was not started%s.", laterText(after))
		return book.Entry{}, err
	case client.Transient(err), client.CodeOf(err) == codes.OK:
		// The answer is unknown, so the job is left alone.
		a.display.line("The job may have started or not. To see:\n  bakta-web status %s", entry.ID)
		return book.Entry{}, err
	}
	a.discard(ctx, c, b, entry)
	if client.CodeOf(err) == codes.InvalidArgument {
		return book.Entry{}, &exitError{exitUsage, err}
	}
	return book.Entry{}, err
}

// laterText says when a call that a limit refused can be repeated, if the server says so.
func laterText(after time.Duration) string {
	if after <= 0 {
		return ""
	}
	return "; repeat the command in " + durationText(after)
}

// checkNotify refuses what each server refuses, before the files are uploaded. Only the server knows in which networks webhooks may be.
func checkNotify(n client.Notify) error {
	anywhere := notify.Networks{Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}}
	rules := notify.Offer{Webhook: true, Email: true, Networks: anywhere}
	for _, one := range []struct{ flag, webhook, email string }{
		{"--notify-webhook", n.Webhook, ""}, {"--notify-email", "", n.Email},
	} {
		if _, err := rules.Check(one.webhook, one.email); err != nil {
			_, why, _ := strings.Cut(err.Error(), ": ") // after the name of the field in the API
			return Usagef("%s: %s", one.flag, why)
		}
	}
	return nil
}

// offered refuses notifications that the server does not offer, before the files are uploaded. An older server would ignore them.
func offered(ctx context.Context, c *client.V2, asked client.Notify) error {
	if asked == (client.Notify{}) {
		return nil
	}
	offer, err := c.NotifyOffer(ctx)
	switch {
	case err != nil:
		return err
	case asked.Webhook != "" && !offer.Webhook:
		return &exitError{exitUsage, fmt.Errorf("--notify-webhook: %s does not send webhooks; submit without this option", c.Server())}
	case asked.Email != "" && !offer.Email:
		return &exitError{exitUsage, fmt.Errorf("--notify-email: %s does not send mail; submit without this option", c.Server())}
	}
	return nil
}

// keepKey shows and keeps the key of the job's webhook.
func (a *app) keepKey(ctx context.Context, b *book.Book, entry book.Entry, asked client.Notify, key string) book.Entry {
	switch {
	case asked.Webhook == "":
		return entry
	case key == "":
		// While a server is upgraded, an older version may answer the start.
		a.display.line("warning: %s has not accepted the webhook, so it sends no messages", entry.Server)
		return entry
	}
	a.display.line("Messages to the webhook are signed with the key\n  %s", shown(key))
	entry.NotifyKey = key
	if err := b.Change(context.WithoutCancel(ctx), entry); err != nil {
		a.display.line("warning: the key could not be kept, note it down: %v", err)
	}
	return entry
}

// discardTime is how long the removal of a job that was not started may take: somebody waits for the prompt.
const discardTime = 5 * time.Second

// discard removes a job that was not started. The server does so later anyway, so it is not an error if it
// can't be reached; the job stays known then.
func (a *app) discard(ctx context.Context, c *client.V2, b *book.Book, entry book.Entry) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTime)
	defer cancel()
	if err := c.Delete(ctx, ref(entry)); err == nil {
		// That it stays listed would be all.
		_ = b.Remove(ctx, entry.ID)
	}
}

// upload sends the files.
func (a *app) upload(ctx context.Context, c *client.V2, made client.Made, uploads []inputFile) error {
	for _, u := range uploads {
		name := shown(filepath.Base(u.path))
		i := slices.IndexFunc(made.Uploads, func(link client.UploadLink) bool { return link.Kind == u.kind })
		if i < 0 {
			return fmt.Errorf("%s: the server does not accept this file for the workflow; it is an older version", name)
		}
		b := a.display.start("uploading "+name, inBytes)
		err := c.Upload(ctx, made.Uploads[i], u.content, func(sent int64) { b.set(sent, u.content.Size) })
		if err != nil {
			b.end("")
			return fmt.Errorf("%s: %w", name, err)
		}
		b.end("uploaded %s (%s)", name, bytesText(u.content.Size))
	}
	return nil
}

// workflowOf returns the workflow that was asked for, or that the file is for.
func (a *app) workflowOf(s submission) (workflow.Workflow, error) {
	if s.workflow != "" {
		return namedWorkflow(s.workflow)
	}
	kind := input.Workflow(s.input)
	if kind != workflow.Bakta {
		a.display.line("%s is not a genome, so the workflow is %s", shown(filepath.Base(s.input)), workflowName(kind))
	}
	w, _ := workflow.Lookup(kind)
	return w, nil
}

// check checks the options and the files before anything is sent: most mistakes show here already, and cost no
// upload. The server has the last word.
func (s *submission) check(w workflow.Workflow, changed func(flag string) bool) (option.Config, []inputFile, error) {
	config, err := s.options.read(w, changed)
	if err != nil {
		return config, nil, err
	}
	var uploads []inputFile
	inspection := w.NewInspection(config)
	look := func(kind, path string) error {
		content, err := input.Inspect(inspection, kind, path)
		if err != nil {
			return &exitError{exitUsage, err}
		}
		uploads = append(uploads, inputFile{kind, path, content})
		return nil
	}
	for _, row := range upload.Table() { // before the genome, with which they are compared
		if path := s.options.files[row.Kind]; path != nil && *path != "" {
			if err := look(row.Kind, *path); err != nil {
				return config, nil, err
			}
		}
	}
	if err := look(w.Uploads[0].Kind, s.input); err != nil { // the required one comes first
		return config, nil, err
	}
	return config, uploads, nil
}
