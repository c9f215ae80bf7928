// Package cli is the command `bakta-web`: it sends genomes to a Bakta-Web server, watches the jobs and fetches the
// results. A program that embeds a backend adds the command `local` to it, see Program.
//
// What a command is asked for goes to the standard output, so that a script can read it; how things go, hints
// and errors go to the standard error: as moving bars on a terminal, as plain lines elsewhere.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ag-computational-bio/bakta-web-backend/cli/book"
	"github.com/ag-computational-bio/bakta-web-backend/client"
	domain "github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// The exit codes of the command. They are part of its help, and stable.
const (
	exitDone        = 0
	exitFailed      = 1   // it could not be done: server, network, disk
	exitUsage       = 2   // the command line or a file that it names is wrong
	exitJobFailed   = 3   // the job failed, or is gone
	exitSomeFailed  = 4   // of several files
	exitInterrupted = 130 // as shells have it for Ctrl-C
)

const defaultServer = "http://127.0.0.1:8080"

// app is what all commands share.
type app struct {
	out     io.Writer // the standard output, without control sequences of terminals
	logOut  io.Writer // the same for what programs wrote, which passes as it is where no terminal is
	columns int       // of the standard output
	display *display
	env     func(string) string
	own     string // version of this program
	server  string // the flag --server

	embedded func(Context) *cobra.Command // Program.Local

	// How long a call is tried again. Somebody sits before the screen, so a server that isn't there should show
	// soon; what was begun with effort is not given up that fast.
	patience, transferPatience time.Duration
	absence                    time.Duration // the same in the middle of a batch, and of a log that is followed

	args []string // of the command that runs

	json bool // the flag --json of the command that runs

	expired struct { // logins
		mu      sync.Mutex
		servers []string // that require none
	}
}

// Program is what a build of the command consists of.
type Program struct {
	Version string // empty: what Go recorded of the build

	// Local returns the command `local`, which serves a backend from this process. Nil: this build has no embedded backend,
	// and `local` says where to find one.
	Local func(Context) *cobra.Command
	// Parts are programs that the embedded backend starts from this executable, by their first argument. They are no
	// commands for people, and handle signals themselves.
	Parts map[string]Part
}

// Part is a program inside the executable. Its arguments begin with its own name; it returns its exit code.
type Part func(ctx context.Context, args []string, stdout, stderr io.Writer) int

// Context is what a command that another package adds shares with the commands of this one.
type Context struct {
	Out     io.Writer           // the standard output, safe for a terminal
	Env     func(string) string // the environment
	Version string              // of this program
}

// Main runs the command with the arguments behind the program's name, and returns its exit code. When ctx ends, or the
// process gets an interrupt or SIGTERM, a command that waits for a job stops waiting, and a local backend ends in order.
func Main(ctx context.Context, p Program, args []string, stdout, stderr io.Writer, env func(string) string) int {
	if len(args) > 0 {
		if part, ok := p.Parts[args[0]]; ok {
			return part(ctx, args, stdout, stderr)
		}
	}
	return newApp(p, stdout, stderr, env).run(ctx, args)
}

func newApp(p Program, stdout, stderr io.Writer, env func(string) string) *app {
	display := newDisplay(stderr, env)
	a := &app{
		out:              harmlessWriter(display.over(stdout)),
		logOut:           stdout,
		columns:          columnsOf(stdout),
		display:          display,
		env:              env,
		own:              built(p.Version),
		embedded:         p.Local,
		patience:         3 * time.Second,
		transferPatience: time.Minute,
		absence:          absence,
	}
	if isTerminal(stdout) {
		a.logOut = a.out
	}
	return a
}

func (a *app) run(ctx context.Context, args []string) int {
	ctx, stop := a.interruptible(ctx)
	defer stop()
	root := a.root()
	a.args = args
	root.SetArgs(args)
	root.SetOut(a.out)
	root.SetErr(a.display.w)
	command, err := root.ExecuteContextC(ctx)
	a.display.passed()
	var coded *exitError
	var usage *usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &coded):
		if coded.err != nil {
			a.display.line("bakta-web: %s", plainText(coded.err))
		}
		return coded.code
	case errors.As(err, &usage):
		a.display.line("bakta-web: %s", plainText(err))
		a.display.line("`%s --help` shows how it is used.", command.CommandPath())
		return exitUsage
	case ctx.Err() != nil:
		a.display.line("bakta-web: interrupted")
		return exitInterrupted
	default:
		a.display.line("bakta-web: %s", plainText(err))
		return exitFailed
	}
}

// interruptible returns a context that ends with the first interrupt or SIGTERM. The second one ends the program at
// once. (To give the signal back to the system would not do: a shell starts what it runs in the background with
// interrupts ignored.)
func (a *app) interruptible(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		select {
		case <-signals:
			cancel()
		case <-done:
			return
		}
		select {
		case <-signals:
			os.Exit(exitInterrupted)
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}

// exitError ends the program with a code of its own. err may be nil when all is said.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// plainText returns an error's text for people, without the causes that lib/job's errors keep for a log.
func plainText(err error) string {
	var e *domain.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	return strings.Replace(err.Error(), e.Error(), e.Message, 1)
}

// usageError is a mistake in the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// Usagef returns an error for a mistake in the command line: the command ends with exit code 2.
func Usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "bakta-web",
		Short: "Annotate bacterial genomes with Bakta, here or on a server",
		Long: `bakta-web sends bacterial genomes and proteins to a Bakta-Web server, watches the
jobs and fetches the annotations. ` + "`bakta-web local`" + ` makes this machine such a
server.

Jobs that were submitted from here are remembered with their secrets, in a file
that only you can read: ` + "$BAKTA_WEB_JOBS" + `, else bakta-web/jobs.json below
` + "$XDG_STATE_HOME or ~/.local/state" + `. Where a command takes an ID, its beginning
will do as long as it stands for one job.

Exit codes: 0 done (with --wait: the job has succeeded), 1 it could not be done,
2 the command line or an input file is wrong, 3 the job failed or is gone, 4 some
of several files failed, 130 interrupted; a job that was started goes on.`,
		Example: `  bakta-web local                            # in one terminal
  bakta-web submit genome.fna --out result   # in another
  bakta-web list`,
		Args:          noCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		var value *pflag.InvalidValueError
		if errors.As(err, &value) {
			_, takes := pflag.UnquoteUsage(value.GetFlag())
			return Usagef("--%s: %q is not valid; it stands for: %s", value.GetFlag().Name, value.GetValue(), takes)
		}
		return &usageError{err}
	})
	root.PersistentFlags().
		StringVar(&a.server, "server", "", "`URL` of the server; by default $BAKTA_WEB_SERVER, else\n"+
			defaultServer+"; for a known job its own server")
	root.AddCommand(a.submitCommand(), a.rerunCommand(), a.listCommand(), a.statusCommand(), a.logsCommand(), a.resultsCommand(),
		a.deleteCommand(), a.loginCommand(), a.logoutCommand(), a.workflowsCommand(), a.versionCommand(), a.localCommand())
	root.InitDefaultHelpCmd()
	if help, _, err := root.Find([]string{"help"}); err == nil {
		help.Args = func(_ *cobra.Command, args []string) error {
			found, left, err := root.Find(args)
			if err != nil {
				return &usageError{err}
			}
			return noCommand(found, left)
		}
	}
	return root
}

// localCommand returns the command `local` of this build.
func (a *app) localCommand() *cobra.Command {
	if a.embedded != nil {
		return a.embedded(Context{Out: a.out, Env: a.env, Version: a.own})
	}
	return &cobra.Command{
		Use:   "local",
		Short: "Run a Bakta-Web server on this machine (not in this build)",
		Long: `Run the whole backend in this process. This build of bakta-web has no embedded
backend: it was installed by "go install". Clone the repository and run
"make build"; bin/bakta-web has it.`,
		Example:            `  git clone https://github.com/ag-computational-bio/bakta-web-backend && make -C bakta-web-backend build`,
		DisableFlagParsing: true,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("this build has no embedded backend; clone the repository and run `make build`, or name a server by --server")
		},
	}
}

// noCommand reports arguments where a command should be.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf("; do you mean %s?", strings.Join(near, " or "))
	}
	return Usagef("the command %q does not exist%s", args[0], hint)
}

// Takes checks the number of arguments, and names them when it is wrong.
func Takes(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return Usagef("%s is missing", what)
		case most >= 0 && len(args) > most:
			return Usagef("%q is one argument too many", args[most])
		}
		return nil
	}
}

// jsonFlag gives a command the flag --json.
func (a *app) jsonFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.json, "json", false, "print JSON, for scripts")
}

// book returns the jobs of this user.
func (a *app) book() (*book.Book, error) {
	path, err := book.Path(a.env)
	if err != nil {
		return nil, err
	}
	return book.Open(path), nil
}

// find returns the known job whose id begins like that, and a client of the server that has it.
func (a *app) find(prefix string) (book.Entry, *client.V2, error) {
	b, err := a.book()
	if err != nil {
		return book.Entry{}, nil, err
	}
	entry, err := b.Find(prefix)
	if err != nil {
		owned, ok := a.owned(prefix)
		if !ok {
			return book.Entry{}, nil, &exitError{exitUsage, err}
		}
		entry = owned
	}
	c, err := a.clientFor(entry)
	return entry, c, err
}

// clientFor returns a client of the server that has the job: the one that it was made by, or the one that the
// command line names, for a server that moved.
func (a *app) clientFor(entry book.Entry) (*client.V2, error) {
	if a.server != "" {
		return a.client(a.server)
	}
	return a.client(entry.Server)
}

// newServer returns the server for a new job.
func (a *app) newServer() string {
	for _, server := range []string{a.server, a.env("BAKTA_WEB_SERVER")} {
		if server != "" {
			return server
		}
	}
	return defaultServer
}

func (a *app) client(server string) (*client.V2, error) {
	c, err := client.New(server, client.Options{
		HTTP:      &http.Client{Transport: a.transport()},
		Patience:  a.patience,
		UserAgent: "bakta-web/" + a.own,
		OnRetry: func(err error, pause time.Duration) {
			var refusal *client.Error
			if errors.As(err, &refusal) && refusal.Status == http.StatusTooManyRequests && pause >= time.Second {
				a.display.notice("%v; waiting for %s", err, pause.Round(time.Second))
				return
			}
			a.display.notice("%v; trying again", err)
		},
	})
	if err != nil {
		return nil, &usageError{fmt.Errorf("%s: %w", shown(server), err)}
	}
	return c.WithToken(a.token(c.Server())).V2(), nil
}

func (a *app) transport() http.RoundTripper {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = 2 * time.Minute
	return transport
}

func ref(entry book.Entry) client.Ref { return client.Ref{ID: entry.ID, Secret: entry.Secret} }
