// Package command is the command `bakta-web local`: the whole backend in one process.
package command

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ag-computational-bio/bakta-web-backend/cli"
	"github.com/ag-computational-bio/bakta-web-backend/lib/settings"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage/stager"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
	"github.com/ag-computational-bio/bakta-web-backend/local"
	"github.com/ag-computational-bio/bakta-web-backend/local/control"
	"github.com/ag-computational-bio/bakta-web-backend/local/standin"
)

// Local returns the command `bakta-web local`.
func Local(c cli.Context) *cobra.Command {
	var o local.Options
	var programs programFlags
	keep, limit, show := "", "", false
	cmd := &cobra.Command{
		Use:   "local",
		Short: "Run a Bakta-Web server on this machine",
		Long: `Run the whole backend in this process: the API, its web page, a job database, an S3
store, and Bakta as local processes. All data is in the directory --data. The
command prints its URL when it serves; open it in a browser. Ctrl-C stops it.
After the next start, waiting jobs continue and interrupted jobs run again.

Bakta is required. The server offers the workflow for proteins if the program
bakta_proteins is installed, and the workflows with Baktfold if Baktfold and its
database are installed.

The server has no user accounts: every user who reaches its address may use it.
By default, it listens only on this machine. It accepts only the names of this
machine: localhost, the host of --listen, and --public. It refuses web pages of
other origins unless --allow-origin names them. Uploads and downloads use the S3
store, which listens on another port of the same host with the same rules.`,
		Example: `  bakta-web local
  bakta-web local --data ~/bakta-web --bakta-db ~/bakta-db/db-light --jobs 2
  bakta-web local jobs 4 --data ~/bakta-web             # while it runs: four at the same time
  bakta-web local --data /tmp/try --bakta stand-in      # without Bakta
  bakta-web local --baktfold-db ~/baktfold-db           # also with Baktfold
  bakta-web local --open                                # and open its web page
  bakta-web local --ui ~/bakta-web-ui/dist
  bakta-web local --s3 https://s3.example.org/genomes   # files in a bucket of yours
  bakta-web local --listen :8080 --public lab.example.org    # for other machines
  bakta-web local --allow-origin https://bakta.example.org   # for a web UI elsewhere`,
		Args: cli.Takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := control.CheckJobs(o.Jobs); err != nil {
				return cli.Usagef("--jobs %v", err)
			}
			var err error
			if o.Retention, err = settings.ParseDuration(keep); err != nil || o.Retention <= 0 {
				return cli.Usagef("--keep is %q; write a duration such as 30d or 12h", keep)
			}
			if o.MaxRunTime, err = settings.ParseDuration(limit); err != nil || o.MaxRunTime <= 0 {
				return cli.Usagef("--max-run-time is %q; write a duration such as 24h or 2d", limit)
			}
			if o.Data == "" {
				if o.Data, err = dataDir(c.Env); err != nil {
					return err
				}
			}
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("finding the executable of this program: %w", err)
			}
			o.Stager, o.StandIn, o.Version = []string{running(self), "stager"}, []string{self, "stand-in"}, c.Version
			o.Programs = programs.read()
			o.Notify.MailPassword = c.Env("BAKTA_WEB_MAIL_PASSWORD")
			o.Notice = func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), line) }
			if !cmd.Flags().Changed("mongodb") {
				o.MongoDB = c.Env("BAKTA_WEB_MONGODB")
			}
			if cmd.Flags().Changed("s3") && o.S3.URL == "" {
				return cli.Usagef("--s3 is empty; write the URL of a bucket, such as https://s3.example.org/BUCKET")
			}
			o.S3.Region = cmp.Or(c.Env("AWS_REGION"), c.Env("AWS_DEFAULT_REGION"))
			o.S3.AccessKey, o.S3.SecretKey = c.Env("AWS_ACCESS_KEY_ID"), c.Env("AWS_SECRET_ACCESS_KEY")
			o.S3.SessionToken = c.Env("AWS_SESSION_TOKEN")
			return local.Run(cmd.Context(), o, func(url string) {
				fmt.Fprintln(c.Out, url)
				if show {
					if err := openBrowser(url); err != nil {
						fmt.Fprintln(cmd.ErrOrStderr(), "bakta-web: --open:", err) // the server works without
					}
				}
			})
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.Listen, "listen", "127.0.0.1:8080", "`address` of the API; port 0 is a free port")
	f.StringVar(&o.Public, "public", "",
		"`host` name or address under which other machines reach this one,\nfor links (default the host of --listen)")
	f.StringArrayVar(&o.Origins, "allow-origin", nil, "allow web pages of this `origin`, for example\n"+
		"https://bakta.example.org; can be repeated, * allows any (default the origins\nof this machine and of --public)")
	f.StringVar(&o.Data, "data", "",
		"`directory` of all data, created if missing (default bakta-web below\n$XDG_DATA_HOME or ~/.local/share)")
	f.BoolVar(&show, "open", false, "open the web page in a browser")
	f.StringVar(&o.UI, "ui", "", "`directory` of a built web UI to serve at / in place of the web page")
	programs.flags(f)
	f.StringVar(&o.MongoDB, "mongodb", "", "`URI` of a MongoDB, with a database, that stores the jobs instead\n"+
		"(default $BAKTA_WEB_MONGODB, where other users can't see a password)")
	f.StringVar(&o.S3.URL, "s3", "", "`URL` of a bucket of an S3 store that stores the files instead, such as\n"+
		"https://s3.example.org/BUCKET; its keys are read from $AWS_ACCESS_KEY_ID and\n$AWS_SECRET_ACCESS_KEY, its region from $AWS_REGION")
	f.IntVar(
		&o.Jobs,
		"jobs",
		1,
		"maximum `number` of jobs that run at the same time; the command\nlocal jobs changes it while the server runs",
	)
	f.IntVar(&o.Threads, "threads", 0, "`number` of threads of a job; by default the jobs share the CPUs evenly")
	f.StringVar(&limit, "max-run-time", "24h", "maximum run `time` of a program; a job that exceeds it fails")
	f.StringVar(&keep, "keep", "30d", "keep jobs and their files for this `time` after their end, for example 30d or 12h")
	notifyFlags(f, &o.Notify)
	for _, flag := range append(programs.directories, "data", "ui") {
		cmd.MarkFlagDirname(flag)
	}
	cmd.AddCommand(jobsCommand(c))
	return cmd
}

// notifyFlags adds the flags of notifications.
func notifyFlags(f *pflag.FlagSet, n *local.Notify) {
	f.StringVar(&n.OnEnd, "on-end", "", "run this `command` by the shell at the end of each job, which it reads as JSON;\n"+
		"it also gets BAKTA_JOB_ID, _NAME, _WORKFLOW and _STATE")
	f.BoolVar(&n.Webhooks, "notify-webhooks", false, "let users name webhooks, which are posted to at the end of their jobs")
	f.StringArrayVar(&n.Allow, "notify-allow", nil, "let webhooks be in this private `network`, for example 10.0.0.0/8; can be\nrepeated "+
		"(default only public addresses)")
	f.StringArrayVar(&n.Forbid, "notify-forbid", nil, "refuse webhooks in this `network`; can be repeated")
	f.StringVar(&n.MailServer, "mail-server", "", "`URL` of a mail server, for example smtps://user@mail.example.org; then users\n"+
		"can name mail addresses; the password is in $BAKTA_WEB_MAIL_PASSWORD")
	f.StringVar(&n.MailFrom, "mail-from", "", "`address` that mail is from")
	f.StringVar(&n.CA, "notify-ca", "", "`file` of further authorities (PEM) of webhooks and the mail server")
}

// dataDir returns the data directory according to the XDG Base Directory Specification.
func dataDir(env func(string) string) (string, error) {
	data := env("XDG_DATA_HOME")
	if !filepath.IsAbs(data) {
		home := env("HOME")
		if home == "" {
			return "", cli.Usagef("the data directory has no default without HOME; set --data")
		}
		data = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(data, "bakta-web"), nil
}

// Parts are the programs that the backend starts from its own executable.
func Parts() map[string]cli.Part {
	return map[string]cli.Part{"stand-in": standin.Main, "stager": runStager}
}

// runStager runs the stager of a job's run, see lib/stage/stager.
func runStager(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	ctx, stop := stager.Signals(ctx)
	defer stop()
	s := stager.Stager{Environ: os.Environ(), Stdin: os.Stdin, Stdout: stdout, Stderr: stderr}
	return s.Main(ctx, args[1:])
}

// programFlags are the flags that name the programs: --NAME, --NAME-db and --NAME-gpu.
type programFlags struct {
	installed   map[string]*local.Installed
	directories []string // the flags that name directories
}

// flags adds the flags.
func (p *programFlags) flags(f *pflag.FlagSet) {
	p.installed = make(map[string]*local.Installed)
	for i, row := range workflow.Programs() {
		at := new(local.Installed)
		p.installed[row.Name] = at
		name := strings.ReplaceAll(row.Name, "_", "-")
		help := row.Help + " (default " + row.Name + " on PATH)"
		switch {
		case i == 0:
			help += ";\n" + local.StandIn + " is a substitute without it, also for the others"
		case row.Part != "":
			help = row.Help + " (default " + row.Name + " beside\n--" + row.Part + ", else on PATH)"
		}
		f.StringVar(&at.Path, name, "", help)
		if row.Database != nil {
			f.StringVar(&at.Database, name+"-db", "", "`directory` of "+row.Title+"'s database (default $"+row.Database.Variable+")")
			p.directories = append(p.directories, name+"-db")
		}
		if row.GPU {
			f.BoolVar(&at.GPU, name+"-gpu", false, "let "+row.Title+" use a GPU")
		}
	}
}

// read returns the values of the flags.
func (p *programFlags) read() map[string]local.Installed {
	programs := make(map[string]local.Installed)
	for name, at := range p.installed {
		programs[name] = *at
	}
	return programs
}

// running returns a path of the executable that this process runs. An upgrade may replace the file while this process runs, and
// the new file's stager may have other flags.
func running(self string) string {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe"
	}
	return self
}
