package local

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/ag-computational-bio/bakta-web-backend/functions"
	notifier "github.com/ag-computational-bio/bakta-web-backend/functions/notify"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/notify"
	"github.com/ag-computational-bio/bakta-web-backend/lib/notify/mail"
	"github.com/ag-computational-bio/bakta-web-backend/lib/notify/webhook"
)

// Notify are the notifications of a local backend.
type Notify struct {
	Webhooks bool     // starts may name webhooks
	Allow    []string // networks that webhooks may be in besides the public ones
	Forbid   []string // networks that webhooks may not be in
	CA       string   // file of the authorities of webhooks and the mail server, in addition to those of the system; PEM

	MailServer   string // URL, see notify.ParseMailServer; empty: no mail is sent
	MailFrom     string // address that mail is from
	MailPassword string

	OnEnd string // command for the shell that is run at the end of each job; empty: none
}

// notifications are the parts that make deliveries.
type notifications struct {
	offer   notify.Offer
	senders map[job.Channel]notifier.Sender
	command bool   // the end of each job is given to a command
	stop    func() // ends the commands that run
}

const (
	// commandTime is how long the command at the end of a job may run.
	commandTime = 5 * time.Minute
	// maxOutput bounds what is logged of its output, in bytes.
	maxOutput = 4 << 10
	// deliveries is how many jobs' deliveries are made at once.
	deliveries = 8
)

// open checks the options, and returns the parts. It makes no network call.
func (n Notify) open(dir, version string, log *slog.Logger) (notifications, error) {
	running, stop := context.WithCancel(context.Background())
	made := notifications{senders: make(map[job.Channel]notifier.Sender), stop: stop}
	if err := n.idle(); err != nil {
		return made, err
	}
	var roots *x509.CertPool
	if n.CA != "" {
		pem, err := os.ReadFile(n.CA)
		if err != nil {
			return made, fmt.Errorf("--notify-ca: %w", err)
		}
		if roots, err = x509.SystemCertPool(); err != nil {
			roots = x509.NewCertPool()
		}
		if !roots.AppendCertsFromPEM(pem) {
			return made, fmt.Errorf("--notify-ca: %s has no certificate in PEM form", n.CA)
		}
	}
	if n.Webhooks {
		var err error
		if made.offer.Networks.Allow, err = prefixes("--notify-allow", n.Allow); err != nil {
			return made, err
		}
		if made.offer.Networks.Forbid, err = prefixes("--notify-forbid", n.Forbid); err != nil {
			return made, err
		}
		made.offer.Webhook = true
		sender := webhook.New(webhook.Options{Networks: made.offer.Networks, Roots: roots, Agent: "bakta-web/" + version})
		made.senders[job.ChannelWebhook] = notifier.Sender{Send: sender.Send, Limit: webhook.Timeout}
	}
	if n.MailServer != "" {
		m, err := notify.ParseMailServer(n.MailServer, n.MailFrom)
		if err != nil {
			return made, fmt.Errorf("--mail-server, --mail-from: %w", err)
		}
		if m.User != "" && n.MailPassword == "" {
			return made, fmt.Errorf("--mail-server: the password of %s is missing; set the environment variable BAKTA_WEB_MAIL_PASSWORD", m.User)
		}
		sender, err := mail.New(mail.Options{Server: m, Password: n.MailPassword, Roots: roots})
		if err != nil {
			return made, err
		}
		made.offer.Email = true
		made.senders[job.ChannelEmail] = notifier.Sender{Send: sender.Send, Limit: mail.MaxTime}
	}
	if n.OnEnd != "" {
		c := endCommand{text: n.OnEnd, dir: dir, running: running, log: log}
		made.command = true
		made.senders[job.ChannelCommand] = notifier.Sender{Send: c.run, Limit: commandTime}
	}
	return made, nil
}

// idle returns an error for an option that would have no effect: who set it expects messages that are never sent.
func (n Notify) idle() error {
	for _, o := range []struct {
		flag, needs string
		idle        bool
	}{
		{"--notify-allow", "--notify-webhooks", len(n.Allow) > 0 && !n.Webhooks},
		{"--notify-forbid", "--notify-webhooks", len(n.Forbid) > 0 && !n.Webhooks},
		{"--mail-from", "--mail-server", n.MailFrom != "" && n.MailServer == ""},
		{"--notify-ca", "--notify-webhooks or --mail-server", n.CA != "" && !n.Webhooks && n.MailServer == ""},
	} {
		if o.idle {
			return fmt.Errorf("%s has no effect without %s; add that, or leave %s out", o.flag, o.needs, o.flag)
		}
	}
	return nil
}

func prefixes(flag string, texts []string) (list []netip.Prefix, err error) {
	for _, text := range texts {
		p, err := notify.ParseNetwork(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", flag, err)
		}
		list = append(list, p)
	}
	return list, nil
}

// notifier returns what makes deliveries in the background.
func (n notifications) notifier(p functions.Parts) (*notifier.InProcess, error) {
	f, err := functions.Notifications(p, "", n.senders)
	if err != nil {
		return nil, err
	}
	return f.InProcess(deliveries), nil
}

// endCommand is the command that is run at the end of each job: once, and again only if this process ended while it ran.
type endCommand struct {
	text    string
	dir     string          // working directory
	running context.Context // ends with this process
	log     *slog.Logger
}

// run runs the command, with the job as JSON on its standard input. However the command ends, it is not run again.
func (c endCommand) run(ctx context.Context, j job.Job, _ event.Event) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.running, cancel)()
	input, err := json.Marshal(notify.DataOf(j))
	if err != nil {
		return err
	}
	var output tail
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", c.text)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = c.dir, bytes.NewReader(input), &output, &output
	data := notify.DataOf(j)
	cmd.Env = append(os.Environ(), "BAKTA_JOB_ID="+j.ID, "BAKTA_JOB_NAME="+job.Words(j.Name, job.MaxNameBytes),
		"BAKTA_JOB_WORKFLOW="+j.Workflow, "BAKTA_JOB_STATE="+data.State)
	// The command may have child processes.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // a process that left the group may keep the output open
	err = cmd.Run()
	log := c.log.With("job", j.ID, "output", output.String())
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
		log.InfoContext(ctx, "the command at the end of a job has ended")
		return nil
	case c.running.Err() != nil:
		return &notify.Error{Words: "the server stopped while the command ran", Cause: err}
	case ctx.Err() != nil:
		return &notify.Error{Words: fmt.Sprintf("the command did not end within %s", commandTime), Final: true, Cause: err}
	}
	log.WarnContext(ctx, "the command at the end of a job failed", "error", err)
	return &notify.Error{Words: "the command failed: " + err.Error(), Final: true}
}

// tail keeps the end of what is written to it.
type tail struct{ kept []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if excess := len(t.kept) - maxOutput; excess > 0 {
		t.kept = append(t.kept[:0], t.kept[excess:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return cmp.Or(job.Words(string(t.kept), maxOutput), "none") }
