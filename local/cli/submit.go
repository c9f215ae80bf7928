package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/client"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
	"github.com/ag-computational-bio/bakta-web-backend/local/book"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
)

// submission is one genome to annotate.
type submission struct {
	genome, replicons, trainingFile string // paths; empty: none
	name                            string
	options                         options
	wait                            bool
	fetch                           fetch
}

func (a *app) submitCommand() *cobra.Command {
	var s submission
	cmd := &cobra.Command{
		Use:   "submit GENOME",
		Short: "Send a genome to be annotated",
		Long: `Send a genome to be annotated: a FASTA file, plain or compressed (gzip, bzip2,
xz, zstd). The options that describe it have the names that Bakta gives them.

Without --wait the command ends when the job is started and prints its ID. With
--wait it shows progress until the job has ended, and its exit code is 0 only if
the job has succeeded. --out downloads the results then, and waits by itself.
Ctrl-C stops the waiting and not the job.`,
		Example: `  bakta-web submit genome.fna
  bakta-web submit genome.fna.gz --wait --out annotation
  bakta-web submit genome.fna --genus Escherichia --species coli --gram - --complete
  bakta-web submit genome.fna --replicons replicons.tsv --server https://bakta.example.org
  id=$(bakta-web submit genome.fna)`,
		Args: takes(1, 1, "the file of the genome"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s.genome = args[0]
			s.wait = s.wait || s.fetch.out != ""
			return a.submit(cmd.Context(), s)
		},
	}
	s.options.flags(cmd) // first: they are what the command is about
	cmd.Flags().StringVar(&s.replicons, "replicons", "", "table of replicons, a CSV or TSV `file`: id, new id, type, topology, name")
	cmd.Flags().StringVar(&s.trainingFile, "prodigal-tf", "", "Prodigal training `file`")
	cmd.Flags().StringVar(&s.name, "name", "", "`name` of the job and of its files (default: the name of the file)")
	cmd.Flags().BoolVar(&s.wait, "wait", false, "wait for the job to end, with progress")
	cmd.Flags().StringVarP(&s.fetch.out, "out", "o", "", "wait, and download the results into this `directory`")
	s.fetch.flags(cmd)
	a.jsonFlag(cmd)
	return cmd
}

// uploads are the files of a submission, checked and ready to send.
type uploads struct {
	genome, replicons, trainingFile client.Content
	format                          protov1.RepliconTableType
}

func (a *app) submit(ctx context.Context, s submission) error {
	config, files, err := s.check()
	if err != nil {
		return err
	}
	if s.name == "" {
		s.name = jobName(s.genome)
	}
	if s.fetch.out != "" {
		if err := s.fetch.prepare(s.name); err != nil {
			return err
		}
	}
	c, err := a.client(a.newServer())
	if err != nil {
		return err
	}
	entry, err := a.begin(ctx, c, s, files, request(config))
	if err != nil {
		return err
	}
	switch {
	case s.fetch.out != "":
		if err := a.wait(ctx, c, entry, s.fetch.out); err != nil {
			return err
		}
		return a.results(ctx, c, entry, s.fetch)
	case s.wait:
		if err := a.wait(ctx, c, entry, ""); err != nil {
			return err
		}
		a.display.line("To download the results:\n  bakta-web results %s", entry.ID)
	default:
		a.display.line("To watch it and download the results:\n  %s", comeBack(entry, c, ""))
	}
	if a.json {
		state := client.Init
		if s.wait {
			state = client.Successful
		}
		return a.printJSON(describe(entry, client.Status{State: state}))
	}
	_, err = fmt.Fprintln(a.out, entry.ID)
	return err
}

// begin makes the job, uploads its files and starts it. A job that could not be started is removed again.
func (a *app) begin(ctx context.Context, c *client.Client, s submission, files uploads, config *protov1.JobConfig) (book.Entry, error) {
	b, err := a.book()
	if err != nil {
		return book.Entry{}, err
	}
	if _, err := b.Jobs(); err != nil {
		return book.Entry{}, err // before there is a job whose secret could not be kept
	}
	created, err := c.Init(ctx, s.name, files.format)
	if err != nil {
		return book.Entry{}, err
	}
	entry := book.Entry{ID: created.Job.ID, Secret: created.Job.Secret, Server: c.Server(), Name: s.name,
		File: absolute(s.genome), Created: time.Now().UTC().Truncate(time.Second)}
	// Remembered before anything is sent: a job that this program is killed in the middle of can be deleted.
	if err := b.Add(context.WithoutCancel(ctx), entry); err != nil {
		a.discard(ctx, c, b, entry)
		return book.Entry{}, err
	}
	c = c.WithPatience(a.transferPatience)
	if err := a.upload(ctx, c, created, s, files); err != nil {
		a.discard(ctx, c, b, entry)
		if ctx.Err() != nil {
			a.display.line("Nothing was started.")
			return book.Entry{}, &exitError{code: exitInterrupted}
		}
		return book.Entry{}, err
	}
	err = c.Start(ctx, created.Job, config)
	switch {
	case err == nil:
		a.display.line("started job %s on %s", entry.ID, c.Server())
		return entry, nil
	case ctx.Err() != nil:
		a.display.line("The job may have started or not. To see:\n  bakta-web status %s", entry.ID)
		return book.Entry{}, &exitError{code: exitInterrupted}
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

// discardTime is how long the removal of a job that was not started may take: somebody waits for the prompt.
const discardTime = 5 * time.Second

// discard removes a job that was not started. The server does so by itself in time, so it is no error when it
// can't be reached; the job stays known then.
func (a *app) discard(ctx context.Context, c *client.Client, b *book.Book, entry book.Entry) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTime)
	defer cancel()
	if err := c.Delete(ctx, ref(entry)); err == nil || client.CodeOf(err) == codes.NotFound {
		// That it stays listed would be all.
		_ = b.Remove(ctx, entry.ID)
	}
}

// upload sends the files.
func (a *app) upload(ctx context.Context, c *client.Client, created client.Created, s submission, files uploads) error {
	for _, part := range []struct {
		path, link string
		content    client.Content
	}{
		{s.genome, created.Genome, files.genome},
		{s.replicons, created.Replicons, files.replicons},
		{s.trainingFile, created.TrainingFile, files.trainingFile},
	} {
		if part.path == "" {
			continue
		}
		name := shown(filepath.Base(part.path))
		b := a.display.start("uploading "+name, inBytes)
		err := c.Upload(ctx, part.link, part.content, func(sent int64) { b.set(sent, part.content.Size) })
		if err != nil {
			b.end("")
			return fmt.Errorf("%s: %w", name, err)
		}
		b.end("uploaded %s (%s)", name, bytesText(part.content.Size))
	}
	return nil
}

// check looks at the options and the files before anything is sent: most mistakes show here already, and cost no
// upload. The server has the last word.
func (s *submission) check() (workflow.Config, uploads, error) {
	bakta, _ := workflow.Lookup(workflow.Bakta)
	config, err := s.options.read(bakta)
	if err != nil {
		return config, uploads{}, err
	}
	config.Use = map[string]bool{workflow.RepliconsTable: s.replicons != "", workflow.ProdigalTrainingFile: s.trainingFile != ""}
	var u uploads
	for _, part := range []struct {
		kind, path string
		to         *client.Content
	}{
		{workflow.GenomeFASTA, s.genome, &u.genome},
		{workflow.RepliconsTable, s.replicons, &u.replicons},
		{workflow.ProdigalTrainingFile, s.trainingFile, &u.trainingFile},
	} {
		if part.path == "" {
			continue
		}
		if *part.to, err = inspect(part.kind, part.path, config); err != nil {
			return config, u, &exitError{exitUsage, err}
		}
	}
	if s.replicons != "" {
		u.format, err = tableFormat(u.replicons)
	}
	return config, u, err
}

// inspect looks into a file of that kind.
func inspect(kind, path string, config workflow.Config) (client.Content, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return client.Content{}, fmt.Errorf("there is no file %s", shown(path))
	case err != nil:
		return client.Content{}, err
	case info.IsDir():
		return client.Content{}, fmt.Errorf("%s is a directory; name a file in it", shown(path))
	case !info.Mode().IsRegular():
		// An upload may have to be made twice, and its size is told first.
		return client.Content{}, fmt.Errorf("%s is no regular file; write what comes from it into one, and name that", shown(path))
	}
	content, err := client.FileContent(path)
	if err != nil {
		return content, err
	}
	if content.Size == 0 {
		return content, fmt.Errorf("%s is empty", path)
	}
	file, err := content.Open()
	if err != nil {
		return content, err
	}
	defer file.Close()
	if _, err := workflow.Inspect(kind, file, config); err != nil {
		return content, fmt.Errorf("%s: %w", path, err)
	}
	return content, nil
}

// tableFormat tells a TSV from a CSV by the first line. Servers of today look themselves.
func tableFormat(table client.Content) (protov1.RepliconTableType, error) {
	f, err := table.Open()
	if err != nil {
		return 0, err
	}
	defer f.Close()
	head := make([]byte, 4096)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, err
	}
	line, _, _ := bytes.Cut(bytes.TrimSpace(head[:n]), []byte("\n"))
	if bytes.Contains(line, []byte("\t")) {
		return protov1.RepliconTableType_TSV, nil
	}
	return protov1.RepliconTableType_CSV, nil
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
