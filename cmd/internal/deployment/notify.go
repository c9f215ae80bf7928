package deployment

import (
	"crypto/x509"
	"fmt"
	"os"

	"github.com/ag-computational-bio/bakta-web-backend/functions"
	"github.com/ag-computational-bio/bakta-web-backend/functions/notify"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	messages "github.com/ag-computational-bio/bakta-web-backend/lib/notify"
	"github.com/ag-computational-bio/bakta-web-backend/lib/notify/mail"
	"github.com/ag-computational-bio/bakta-web-backend/lib/notify/webhook"
)

// Notifications returns the notify function.
func (d *Deployment) Notifications() (*notify.Function, error) {
	jobs, err := d.Jobs()
	if err != nil {
		return nil, err
	}
	senders, err := d.senders()
	if err != nil {
		return nil, err
	}
	return functions.Notifications(d.partsOn(jobs, nil), d.Notify.Source, senders)
}

// senders returns what sends the messages that the configuration offers.
func (d *Deployment) senders() (map[job.Channel]notify.Sender, error) {
	n, offer := d.Notify, d.Notify.Offer()
	senders := make(map[job.Channel]notify.Sender)
	roots, err := d.authorities()
	if err != nil {
		return nil, err
	}
	if offer.Webhook {
		s := webhook.New(webhook.Options{Networks: offer.Networks, Roots: roots})
		senders[job.ChannelWebhook] = notify.Sender{Send: s.Send, Limit: webhook.Timeout}
	}
	if offer.Email {
		m, err := messages.ParseMailServer(n.Mail.Server, n.Mail.From)
		if err != nil {
			return nil, err
		}
		if m.User != "" && n.Mail.Password.Reveal() == "" {
			return nil, fmt.Errorf("the environment variable MailPassword is missing: the password of the user %s of Notify.Mail.Server", m.User)
		}
		s, err := mail.New(mail.Options{Server: m, Password: n.Mail.Password.Reveal(), Roots: roots})
		if err != nil {
			return nil, err
		}
		senders[job.ChannelEmail] = notify.Sender{Send: s.Send, Limit: mail.MaxTime}
	}
	return senders, nil
}

// authorities returns those of the system and of Notify.CAFile; nil for those of the system alone.
func (d *Deployment) authorities() (*x509.CertPool, error) {
	if d.Notify.CAFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(d.Notify.CAFile)
	if err != nil {
		return nil, fmt.Errorf("Notify.CAFile: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("Notify.CAFile: %s has no certificate in PEM form", d.Notify.CAFile)
	}
	return roots, nil
}

// notifier returns what has the notify function make deliveries; nil if the deployment does not have it.
func (d *Deployment) notifier() (functions.Notifier, error) {
	if d.Notify.Function == "" {
		return nil, nil
	}
	p, err := notify.NewPublisher(
		notify.Destinations{Function: d.Notify.Function, Broker: d.Notify.Broker, Source: d.Notify.Source}, nil, d.Log)
	if err != nil {
		return nil, err
	}
	d.closers = append(d.closers, p.Close)
	return p, nil
}
